"""Intervals and tests of the AUROC, and of weighted means of AUROCs that share their ID scores.

DeLong, DeLong and Clarke-Pearson, Biometrics 1988, 44:837–845. With V10_i the share of OOD images below ID image i and V01_j the
share of ID images above OOD image j (ties ½), AUROC = mean V10 = mean V01 and Var = Var(V10)/n_id + Var(V01)/n_ood. Both come
from sorted scores in O(n log n) as in Sun and Xu, IEEE Signal Processing Letters 2014, 21:1389–1393.
For A = Σ_k w_k AUROC_k over OOD sets k: Var = Var(Σ_k w_k V10_k)/n_id + Σ_k w_k² Var(V01_k)/n_ood_k.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oodkit.errors import UsageError
from oodkit.metrics import NORMAL_975, Estimate, Scores, Vector, share_below, two_sides, wilson

PERFECT = 1e-12  # one pair of images out of order moves the AUROC by more, unless there are 10¹² pairs


@dataclass(frozen=True)
class Comparison:
    """difference: first minus second, in [−1, 1], with its 95 % interval; p_value: two-sided, of no difference."""

    difference: float
    low: float
    high: float
    p_value: float


NO_DIFFERENCE = Comparison(0.0, 0.0, 0.0, 1.0)  # of scores that are the same image by image: there is nothing to test


@dataclass(frozen=True, eq=False)
class Placements:
    """A weighted mean of AUROCs, image by image. id: (n_id,) Σ_k w_k V10_k. ood: w_k V01_k, (n_ood_k,) each. weights: the w_k."""

    id: Vector
    ood: list[Vector]
    weights: list[float]

    @property
    def mean(self) -> float:
        """The weighted mean itself, in [0, 1]."""
        return min(max(float(self.id.mean()), 0.0), 1.0)


def auroc_with_interval(id_scores: Scores, ood_scores: Scores) -> Estimate:
    """The AUROC with its DeLong interval; see ``mean_auroc``."""
    return mean_auroc(id_scores, [ood_scores])


def mean_auroc(id_scores: Scores, ood_sets: Sequence[Scores], weights: Sequence[float] | None = None) -> Estimate:
    """The weighted mean of the AUROCs of several OOD sets against the same ID scores, with its DeLong interval.

    weights: one a set, adding up to 1; equal where none are given. The interval is symmetric in the logit of the AUROC and so
    stays within [0, 1]. At an AUROC of 0 or 1, where no variance is left to estimate, it is Wilson's for as many trials as the
    smallest sample has images. A side of one image gets the largest variance that a share of that mean can have.
    """
    return mean_of_placements(_placements(id_scores, ood_sets, weights))


def compare_aurocs(
    first_id: Scores,
    first_ood: Sequence[Scores],
    second_id: Scores,
    second_ood: Sequence[Scores],
    weights: Sequence[float] | None = None,
) -> Comparison:
    """The paired DeLong test of two scorers, or of two heads, on the same images.

    first_ood, second_ood: one vector of scores a set, the images in the same order on both sides. weights: as in ``mean_auroc``.
    Where no image's place differs the p-value is 1 and the interval 0 alone; but where both AUROCs are 1, or both 0, either may be
    less, or more, by as much as the interval of ``mean_auroc`` says, and the difference too. Where every image's place differs
    alike, and no variance is left, the p-value is that of the sign test on as many images as the smallest sample has.
    Raises UsageError where the numbers of images differ.
    """
    return compare_paired(_placements(first_id, first_ood, weights), _placements(second_id, second_ood, weights))


def place(id_scores: Scores, ood_scores: Scores) -> Placements:
    """Every image's place among those of the other side: what all estimates and tests are made of, and what takes their time."""
    inside, outside = two_sides(id_scores, ood_scores)
    return Placements(share_below(inside, np.sort(outside)), [share_below(-outside, np.sort(-inside))], [1.0])


def weigh(placed: Sequence[Placements], weights: Sequence[float] | None = None) -> Placements:
    """The weighted mean of several OOD sets, each placed against the same ID scores. weights: as in ``mean_auroc``."""
    shares = _shares(len(placed), weights)
    total = sum((share * one.id for share, one in zip(shares, placed, strict=True)), np.zeros(1))
    return Placements(total, [share * one.ood[0] for share, one in zip(shares, placed, strict=True)], shares)


def mean_of_placements(placed: Placements) -> Estimate:
    """The weighted mean with its interval, as ``mean_auroc`` tells of it."""
    value = placed.mean
    if _is_at_the_edge(placed):
        return _at_the_edge(placed)
    spread = value * (1 - value)
    reach = NORMAL_975 * math.sqrt(_variance(placed, spread)) / spread
    centre = math.log(value / (1 - value))
    return Estimate(value, _logistic(centre - reach), _logistic(centre + reach))


def compare_paired(first: Placements, second: Placements) -> Comparison:
    """The test of ``compare_aurocs``."""
    paired = _minus(first, second)
    difference = float(paired.id.mean())
    error = math.sqrt(_variance(paired, 1 - difference**2))
    if not error and not difference and _is_at_the_edge(first):
        edge = _at_the_edge(first)
        return Comparison(0.0, edge.low - edge.high, edge.high - edge.low, 1.0)
    return _by_error(difference, error) if error else _without_spread(difference, _smallest(paired))


def compare_unpaired(first: Placements, second: Placements) -> Comparison:
    """The test of two AUROCs, or weighted means, of independent images: Var(A − B) = Var(A) + Var(B).

    At an AUROC of 0 or 1 its standard error is that which Wilson's interval has on the open side. On images that both share, the
    interval is too wide where images that are easy for one are easy for the other, as is common.
    """
    difference, error = first.mean - second.mean, math.hypot(_standard_error(first), _standard_error(second))
    return _by_error(difference, error) if error else _without_spread(difference, min(_smallest(first), _smallest(second)))


def compare_placements(first: Placements, second: Placements, shared: Sequence[bool]) -> Comparison:
    """The test where some image sets are the same on both sides. shared: of the ID set, then of each OOD set, whether it is.

    Every set has its own part in the variance of the difference: of one that is shared Var(V − V′)/n, of one that is not
    Var(V)/n + Var(V′)/n′. With all shared it is ``compare_paired``; with none, and where an AUROC is 0 or 1 and tells nothing of
    its variance, ``compare_unpaired``.
    """
    if all(shared):
        return compare_paired(first, second)
    spreads = [one.mean * (1 - one.mean) for one in (first, second)]
    if not any(shared) or min(spreads) < PERFECT:
        return compare_unpaired(first, second)
    difference = first.mean - second.mean
    sides = zip([first.id, *first.ood], [second.id, *second.ood], [1.0, *first.weights], shared, strict=True)
    variance = 0.0
    for mine, theirs, weight, same in sides:
        if same:
            variance += _mean_variance(mine - theirs, weight**2 * (1 - difference**2))
        else:
            variance += sum(_mean_variance(one, weight**2 * spread) for one, spread in zip((mine, theirs), spreads, strict=True))
    return _by_error(difference, math.sqrt(variance)) if variance else compare_unpaired(first, second)


def growth(after: tuple[Placements, Placements], before: tuple[Placements, Placements]) -> Estimate:
    """By how much the lead of the first over the second has grown: (A − B) − (A′ − B′), in [−2, 2], with its 95 % interval.

    On images of the same numbers these are taken for the same, in the same order, and V − W − (V′ − W′) of each image gives the
    variance, as V − W does in ``compare_paired``. Else, and where no variance is left, the two leads are independent: MOVER (Zou
    and Donner, Statistics in Medicine 2008, 27:1693–1702) adds the distances of their limits in squares.
    """
    now, then = compare_paired(*after), compare_paired(*before)
    value = now.difference - then.difference
    if _sizes(after[0]) == _sizes(before[0]):
        paired = _minus(_minus(*after), _minus(*before))
        if reach := NORMAL_975 * math.sqrt(_variance(paired, 4 - value**2)):
            return Estimate(value, max(value - reach, -2.0), min(value + reach, 2.0))
    below = math.hypot(now.difference - now.low, then.high - then.difference)
    above = math.hypot(now.high - now.difference, then.difference - then.low)
    return Estimate(value, max(value - below, -2.0), min(value + above, 2.0))


def _by_error(difference: float, error: float) -> Comparison:
    reach = NORMAL_975 * error
    p_value = math.erfc(abs(difference) / error / math.sqrt(2))
    return Comparison(difference, max(difference - reach, -1.0), min(difference + reach, 1.0), p_value)


def _without_spread(difference: float, images: int) -> Comparison:
    """Every image's place differs alike: certain of many images, nothing of two, so the size of the smallest sample decides.

    The sign test, and Wilson's interval of the share (1 + |d|)/2 of the comparisons that were won.
    """
    if difference == 0:
        return Comparison(0.0, 0.0, 0.0, 1.0)
    won = (1 + abs(difference)) / 2
    share = wilson(round(won * images), images)
    low, high = 2 * min(share.low, won) - 1, 2 * max(share.high, won) - 1
    return Comparison(difference, *((low, high) if difference > 0 else (-high, -low)), min(1.0, 2 * 0.5**images))


def _minus(first: Placements, second: Placements) -> Placements:
    if _sizes(first) != _sizes(second):
        raise UsageError("a paired test needs the scores of the same images in the same order; the numbers of images differ")
    ood = [mine - theirs for mine, theirs in zip(first.ood, second.ood, strict=True)]
    return Placements(first.id - second.id, ood, first.weights)


def _shares(sets: int, weights: Sequence[float] | None) -> list[float]:
    if sets == 0:
        raise UsageError("a mean AUROC needs at least one OOD set, got none")
    shares = [1 / sets] * sets if weights is None else list(weights)
    if len(shares) != sets or min(shares) < 0 or not math.isclose(sum(shares), 1):
        raise UsageError(f"{sets} OOD sets need as many weights ≥ 0 that add up to 1, got {shares}")
    return shares


def _placements(id_scores: Scores, ood_sets: Sequence[Scores], weights: Sequence[float] | None) -> Placements:
    shares = _shares(len(ood_sets), weights)
    return weigh([place(id_scores, scores) for scores in ood_sets], shares)


def _standard_error(placed: Placements) -> float:
    if _is_at_the_edge(placed):
        edge = _at_the_edge(placed)
        return (edge.high - edge.low) / NORMAL_975
    return math.sqrt(_variance(placed, placed.mean * (1 - placed.mean)))


def _is_at_the_edge(placed: Placements) -> bool:
    return placed.mean * (1 - placed.mean) < PERFECT


def _at_the_edge(placed: Placements) -> Estimate:
    """The interval of an AUROC of 0 or 1."""
    trials = _smallest(placed)
    return wilson(round(placed.mean) * trials, trials)


def _smallest(placed: Placements) -> int:
    return min(_sizes(placed))


def _sizes(placed: Placements) -> list[int]:
    return [len(placed.id), *map(len, placed.ood)]


def _variance(placed: Placements, bound: float) -> float:
    """bound: the largest variance that one placement can have, used where one image is too few to estimate it."""
    parts = [_mean_variance(placed.id, bound)]
    parts += [_mean_variance(own, share**2 * bound) for own, share in zip(placed.ood, placed.weights, strict=True)]
    return sum(parts)


def _mean_variance(placements: Vector, bound: float) -> float:
    return float(placements.var(ddof=1)) / len(placements) if len(placements) > 1 else bound


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
