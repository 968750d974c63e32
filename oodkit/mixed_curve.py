"""How the maximal logit places mixed images between ID and OOD ones (Xiong et al., ICCV 2025, section 4.3 and Figure 3b).

A mixed image is (1 − λ) of one ID test image and λ of another. The paper finds that with λ growing from 0 to ½ mixed images
separate better from ID and worse from OOD images; that after training with mixup their AUROC against OOD images is lower at every
λ; and it concludes that mixup makes ID and mixed images, and with them ID and OOD images, harder to tell apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from oodkit.delong import Comparison, auroc_with_interval, compare_aurocs
from oodkit.diagnosis import Diagnosis, groups_of
from oodkit.evaluation import mean_weights, results
from oodkit.max_logits import mean_with_interval
from oodkit.metrics import Estimate, Vector
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer
from oodkit.scoring import Scored
from oodkit.wording import number, percent

AGAINST_ITSELF = Estimate(0.5, 0.5, 0.5)  # of any set, by definition


@dataclass(frozen=True)
class MixedAgainst:
    """Mixed images against one OOD set, or its mean over sets. auroc: P(s_mixed > s_ood), ties counted half."""

    ood_set: str
    group: str
    auroc: Estimate


@dataclass(frozen=True)
class MixedRow:
    """The mixed images of one λ; at λ = 0 they are the ID test images themselves.

    n, mean: how many there are, and their mean maximal logit. auroc_id: P(s_id > s_mixed) over all ID test images. auroc_ood: one
    for each OOD set and mean, the most general mean last. change_id, change_ood: auroc_id, and the AUROC of that last mean, minus
    the baseline's, by the paired test; None without a baseline that read the same images, change_id also at λ = 0.

    The mixed images are made of ID images that they are held against, whose scores move with theirs. DeLong's interval, which takes
    both sides for independent samples, is therefore too wide for auroc_id and change_id, the more so the smaller λ.
    """

    lam: float
    n: int
    mean: Estimate
    auroc_id: Estimate
    auroc_ood: tuple[MixedAgainst, ...]
    change_id: Comparison | None = None
    change_ood: Comparison | None = None


@dataclass(frozen=True)
class MixedCurve:
    """A row for each λ, ascending from 0, and what they come to in a sentence. baseline: its rows, None where there are none."""

    rows: list[MixedRow]
    baseline: list[MixedRow] | None
    sentence: str
    scored: Mapping[float, Scored] = field(repr=False)


def diagnose_mixed(found: Diagnosis, mixed: Mapping[float, Outputs], baseline: MixedCurve | None = None) -> MixedCurve:
    """The maximal logit's curve of a model that was diagnosed.

    mixed: by λ the model's outputs on mixed images of its ID test set, ``oodkit.images.mixed.mixed_sets``. baseline: the curve of
    the model to compare with, of the same image sets.
    """
    mls = next(one for one in found.scored if one.name == "mls")
    scores = {lam: make_scorer("mls").score(outputs).numpy() for lam, outputs in mixed.items()}
    return mixed_curve(mls, scores, groups_of(found), baseline)


def mixed_curve(
    scored: Scored, mixed: Mapping[float, Vector], groups: Mapping[str, str] | None = None, baseline: MixedCurve | None = None
) -> MixedCurve:
    """The curve from scores alone: the maximal logit's for the paper's figure, those of any other scorer just as well.

    scored: of the ID test images and the OOD sets. mixed: (n,) the same scorer's of mixed images, by λ above 0. groups: "near" or
    "far" by OOD set. baseline: the curve of the model to compare with.
    """
    own = {lam: np.asarray(mixed[lam], dtype=np.float64) for lam in sorted(mixed)}
    steps = {0.0: scored} | {lam: replace(scored, id_scores=scores, n_id=len(scores)) for lam, scores in own.items()}
    before = {} if baseline is None else baseline.scored
    rows = [_row(lam, steps, groups, before if lam in before else None) for lam in steps]
    return MixedCurve(rows, None if baseline is None else baseline.rows, _sentence(rows), steps)


Steps = Mapping[float, Scored]


def _row(lam: float, steps: Steps, groups: Mapping[str, str] | None, before: Steps | None) -> MixedRow:
    plain, one = steps[0.0], steps[lam]
    auroc_id = auroc_with_interval(plain.id_scores, one.id_scores) if lam else AGAINST_ITSELF
    against = [MixedAgainst(row.ood_set, row.group, row.auroc) for row in results([one], groups) if row.auroc is not None]
    mean = mean_with_interval(one.id_scores, like=plain.id_scores)
    row = MixedRow(lam, one.n_id, mean, auroc_id, tuple(against))
    if before is None or [_sizes(steps[at]) for at in (0.0, lam)] != [_sizes(before[at]) for at in (0.0, lam)]:
        return row
    known = before[0.0].id_scores, [before[lam].id_scores]
    change_id = compare_aurocs(plain.id_scores, [one.id_scores], *known) if lam else None
    return replace(row, change_id=change_id, change_ood=_change_ood(one, before[lam], groups))


def _sizes(one: Scored) -> tuple[int, dict[str, int]]:
    return len(one.id_scores), {name: len(scores) for name, scores in one.ood_scores.items()}


def _change_ood(ours: Scored, theirs: Scored, groups: Mapping[str, str] | None) -> Comparison:
    names = list(ours.ood_scores)
    first, second = ([side.ood_scores[name] for name in names] for side in (ours, theirs))
    return compare_aurocs(ours.id_scores, first, theirs.id_scores, second, mean_weights(names, groups))


def _sentence(rows: Sequence[MixedRow]) -> str:
    """Only what lies beyond the intervals is said to differ."""
    last, outside, id_images = rows[-1], rows[-1].auroc_ood[-1], rows[0].auroc_ood[-1].auroc
    towards_id = f"{_towards_id(last.auroc_id)} (AUROC {percent(last.auroc_id.value)})"
    figures = f"{outside.ood_set} AUROC {percent(outside.auroc.value)}, of ID images {percent(id_images.value)}"
    sentence = f"At λ = {last.lam:g} mixed images {towards_id} and {_towards_ood(outside.auroc, id_images)} ({figures})"
    if (change := last.change_id) is None:
        return f"{sentence}."
    points = [number(value, 1, sign=True) for value in (change.difference, change.low, change.high)]
    how = "worse than" if change.high < 0 else "better than" if change.low > 0 else "neither surely better nor worse than"
    return f"{sentence}; from ID they separate {how} the baseline's ({points[0]} points, {points[1]} to {points[2]})."


def _towards_id(auroc: Estimate) -> str:
    if auroc.low > 0.5:
        return "separate from ID images"
    return "score above ID images" if auroc.high < 0.5 else "can't be told from ID images"


def _towards_ood(auroc: Estimate, id_images: Estimate) -> str:
    if auroc.high < 0.5:
        return "score below OOD images"
    if auroc.low <= 0.5:
        return "can't be told from OOD images"
    how = "closer to" if auroc.high < id_images.low else "farther from" if auroc.low > id_images.high else "not surely closer to"
    return f"are {how} OOD images than ID images are"
