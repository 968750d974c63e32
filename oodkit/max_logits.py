"""The maximal logit on each image set, and its shift against a baseline's, with 95 % intervals.

The intervals of the gap, of r and of the ratio are the delta method's: a figure that is a smooth function of sample means moves,
to first order, by the mean of an influence ψ of each image, so that its variance is Var(ψ)/n, summed over independent samples.
Var(ψ) is estimated from the images, whatever the distribution of their logits; the interval is the figure ± 1.96 √variance.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from oodkit.delong import auroc_with_interval, compare_aurocs
from oodkit.metrics import NORMAL_975, Estimate, Vector, difference
from oodkit.scoring import Scored


@dataclass(frozen=True)
class LogitRow:
    """The maximal logit on one image set of n images.

    std: of the n images as they are, no estimate for others. gap: see ``standardised_gap``; None on the ID set itself.
    """

    image_set: str
    group: str
    n: int
    mean: Estimate
    std: float
    gap: Estimate | None


@dataclass(frozen=True)
class ShiftRow:
    """The maximal logit against a baseline's, for one OOD set (Xiong et al., ICCV 2025, Proposition 4.2).

    r_id, r_ood: (s − s′)/s with s, s′ the mean maximal logits of baseline and model. ratio: (r_id − r_ood)/(1 − r_ood).
    p_baseline, p_model: P(s_id ≥ s_ood), ties counted half. delta_p: p_baseline − p_model. The r are None where a mean
    of the baseline is not positive, which the proposition supposes, and of a set of one image.
    """

    ood_set: str
    group: str
    r_id: Estimate | None
    r_ood: Estimate | None
    ratio: Estimate | None
    p_baseline: Estimate
    p_model: Estimate
    delta_p: Estimate


def logit_rows(mls: Scored, groups: Mapping[str, str]) -> list[LogitRow]:
    """A row for the ID images and one for each OOD set. mls: the maximal logit's scores; groups: "near" or "far" by OOD set."""
    s_id = mls.id_scores
    rows = [LogitRow("ID", "id", len(s_id), mean_with_interval(s_id), float(s_id.std()), None)]
    for name, s_ood in mls.ood_scores.items():
        mean, gap = mean_with_interval(s_ood, like=s_id), standardised_gap(s_id, s_ood)
        rows.append(LogitRow(name, groups[name], len(s_ood), mean, float(s_ood.std()), gap))
    return rows


def shift_rows(model: Scored, baseline: Scored, groups: Mapping[str, str]) -> list[ShiftRow]:
    """A row for each OOD set. The scores are the maximal logit's of both models, the images in the same order."""
    rows = []
    r_id = relative_decrease(baseline.id_scores, model.id_scores)
    for name, s_ood in model.ood_scores.items():
        before, after = (baseline.id_scores, baseline.ood_scores[name]), (model.id_scores, s_ood)
        r_ood = relative_decrease(before[1], s_ood)
        chances = auroc_with_interval(*before), auroc_with_interval(*after), _fall(before, after)
        rows.append(ShiftRow(name, groups[name], r_id, r_ood, shift_ratio(r_id, r_ood), *chances))
    return rows


def mean_with_interval(values: Vector, *, like: Vector | None = None) -> Estimate:
    """The mean ± 1.96 s/√n, s with n − 1 below.

    One value tells nothing of its spread: it is taken to spread as those it is to be held against, ``like``; where they are fewer
    than two as well, the interval is the value itself.
    """
    spread = values if len(values) > 1 else like
    variance = 0.0 if spread is None or len(spread) < 2 else float(spread.var(ddof=1)) / len(values)
    return _around(float(values.mean()), variance)


def standardised_gap(inside: Vector, outside: Vector) -> Estimate | None:
    """ID minus OOD mean, in root mean squares of the two standard deviations: g = (m₁ − m₂)/σ with σ² = (v₁ + v₂)/2.

    With ∂g/∂m₁ = −∂g/∂m₂ = 1/σ and ∂g/∂v₁ = ∂g/∂v₂ = −g/(4σ²), an image x of a side of mean m and variance v has the influence
    ψ(x) = ±(x − m)/σ − g ((x − m)² − v)/(4σ²), and Var(g) = Var(ψ₁)/n₁ + Var(ψ₂)/n₂. Of normal logits that is
    (v₁/n₁ + v₂/n₂)/σ² + g² (v₁²/n₁ + v₂²/n₂)/(8σ⁴), as in Bonett, Psychological Methods 2008, 13:99–109; here the logits' own
    skewness and tails count. None where no image differs from its side's mean, and of a side of one image, whose spread nobody
    knows.
    """
    variance = float(inside.var() + outside.var()) / 2
    if variance == 0 or min(len(inside), len(outside)) < 2:
        return None
    spread = math.sqrt(variance)
    gap = float(inside.mean() - outside.mean()) / spread
    steps = [(side - side.mean()) / spread for side in (inside, outside)]
    influences = [sign * step - gap * step**2 / 4 for sign, step in zip((1, -1), steps, strict=True)]
    return _around(gap, sum(_variance_of_mean(one) for one in influences))


def relative_decrease(before: Vector, after: Vector) -> Estimate | None:
    """From the mean s before to the mean s′ after: r = (s − s′)/s.

    Both models score the same images, so that the pairs (x, x′) count: ψ = ((1 − r) x − x′)/s. Where the numbers of images differ
    nobody knows the pairs, and the two means are taken for independent: wider, as a rule, since a pair goes up and down together.
    None where s is not positive, and of one image.
    """
    s, s_after = float(before.mean()), float(after.mean())
    r = decrease_of(s, s_after)
    if r is None or min(len(before), len(after)) < 2:
        return None
    old, new = s_after / s * before, after
    paired = len(old) == len(new)
    variance = _variance_of_mean(old - new) if paired else _variance_of_mean(old) + _variance_of_mean(new)
    return _around(r, variance / s**2)


def shift_ratio(r_id: Estimate | None, r_ood: Estimate | None) -> Estimate | None:
    """How much more ID fell than OOD: q = (r_id − r_ood)/(1 − r_ood) = 1 − (1 − r_id)/(1 − r_ood). None where r_ood is 1 or more.

    ∂q/∂r_id = 1/(1 − r_ood), ∂q/∂r_ood = −(1 − q)/(1 − r_ood); ID and OOD images are independent samples.
    """
    if r_id is None or r_ood is None or (ratio := ratio_of(r_id.value, r_ood.value)) is None:
        return None
    left = 1 - r_ood.value
    errors = [(one.high - one.low) / (2 * NORMAL_975) for one in (r_id, r_ood)]
    return _around(ratio, (errors[0] / left) ** 2 + ((1 - ratio) * errors[1] / left) ** 2)


def decrease_of(s: float, s_after: float) -> float | None:
    """(s − s′)/s of two means; None where s is not positive."""
    return (s - s_after) / s if s > 0 else None


def ratio_of(r_id: float | None, r_ood: float | None) -> float | None:
    """(r_id − r_ood)/(1 − r_ood); None where one is, and where r_ood is 1 or more."""
    return None if r_id is None or r_ood is None or r_ood >= 1 else (r_id - r_ood) / (1 - r_ood)


def _fall(before: tuple[Vector, Vector], after: tuple[Vector, Vector]) -> Estimate:
    """By how much the AUROC fell: DeLong's paired interval; of different numbers of images that of two independent figures."""
    if [len(side) for side in before] == [len(side) for side in after]:
        paired = compare_aurocs(before[0], [before[1]], after[0], [after[1]])
        return Estimate(paired.difference, paired.low, paired.high)
    return difference(auroc_with_interval(*before), auroc_with_interval(*after))


def _variance_of_mean(values: Vector) -> float:
    return float(np.var(values, ddof=1)) / len(values)


def _around(value: float, variance: float) -> Estimate:
    reach = NORMAL_975 * math.sqrt(variance)
    return Estimate(value, value - reach, value + reach)
