"""How well scores tell in-distribution (ID) from out-of-distribution (OOD) images. Higher scores mean more in-distribution.

Every function takes the ID scores first, as an array-like or CPU tensor (N,), works in float64 and returns fractions in [0, 1].
It raises UsageError where one side is empty or no vector, InputError where a score is NaN or infinite.
Intervals are at 95 %. The AUROC's own intervals and tests are in ``oodkit.delong``.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from oodkit.errors import InputError, UsageError

Scores = ArrayLike | Tensor
Vector = NDArray[np.float64]
Counts = NDArray[np.int64]
NORMAL_975 = 1.959963984540054  # the 97.5 % point of the standard normal distribution


class Estimate(NamedTuple):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Rates(NamedTuple):
    """Every figure of an OOD set but its AUROC, each as the function of its name gives it."""

    fpr95_ood: Estimate
    fpr95_id: Estimate
    aupr_in: float
    aupr_out: float


def auroc(id_scores: Scores, ood_scores: Scores) -> float:
    """P(s_id > s_ood) + ½ P(s_id = s_ood), by counting: exact for any scale of the scores."""
    inside, outside = two_sides(id_scores, ood_scores)
    return float(share_below(inside, np.sort(outside)).mean())


def fpr95_ood(id_scores: Scores, ood_scores: Scores) -> Estimate:
    """OOD is the positive class: the share of ID images rejected at the threshold that rejects at least 95 % of OOD.

    The threshold t is the smallest score with at least 95 % of the OOD images at s ≤ t; the figure is the share of ID images with
    s ≤ t (OpenOOD v1.5). For the interval see ``_rate_at_95``.
    """
    return _rate_at_95(*_ascending(id_scores, ood_scores))


def fpr95_id(id_scores: Scores, ood_scores: Scores) -> Estimate:
    """ID is the positive class: the share of OOD images accepted at the threshold that accepts at least 95 % of ID.

    The threshold t is the largest score with at least 95 % of the ID images at s ≥ t; the figure is the share of OOD images with
    s ≥ t (OpenOOD v1.0 and many papers). For the interval see ``_rate_at_95``.
    """
    inside, outside = _ascending(id_scores, ood_scores)
    return _rate_at_95(-outside[::-1], -inside[::-1])


def aupr_in(id_scores: Scores, ood_scores: Scores) -> float:
    """Area under the precision–recall curve with ID as the positive class; trapezoids over distinct scores, as OpenOOD."""
    return _auprs(*_ascending(id_scores, ood_scores))[0]


def aupr_out(id_scores: Scores, ood_scores: Scores) -> float:
    """Area under the precision–recall curve with OOD as the positive class, ranked by −s; trapezoids, as OpenOOD."""
    return _auprs(*_ascending(id_scores, ood_scores))[1]


def rates(id_scores: Scores, ood_scores: Scores) -> Rates:
    """All four at once: the sorting is what they take their time for."""
    inside, outside = _ascending(id_scores, ood_scores)
    return Rates(_rate_at_95(inside, outside), _rate_at_95(-outside[::-1], -inside[::-1]), *_auprs(inside, outside))


def accuracy(predictions: Scores, labels: Scores) -> Estimate:
    """The share of labelled images (label ≥ 0) whose predicted class is their label, with its Wilson interval."""
    predicted, true = np.asarray(predictions), np.asarray(labels)
    if predicted.shape != true.shape:
        raise UsageError(f"accuracy needs a label for each prediction, got {predicted.shape} predictions and {true.shape} labels")
    known = true >= 0
    if not (images := int(known.sum())):
        raise UsageError("accuracy needs labelled images, got none")
    return wilson(int((predicted == true)[known].sum()), images)


def mean_estimate(estimates: Sequence[Estimate], weights: Sequence[float]) -> Estimate:
    """The weighted mean of figures and, as its interval, the same mean of their limits.

    Conservative: an interval of that width holds whatever the correlation of the figures; were they independent, a narrower
    one would do.
    """
    return Estimate(*(weighted_mean(column, weights) for column in zip(*estimates, strict=True)))


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """Never outside the values' own range, where rounding would take a mean of ones: no fraction is above 1."""
    return float(np.clip(np.dot(weights, values), min(values), max(values)))


def difference(first: Estimate, second: Estimate) -> Estimate:
    """First minus second, of independent samples, with the interval that theirs come to.

    MOVER (Zou and Donner, Statistics in Medicine 2008, 27:1693–1702), for proportions method 10 of Newcombe (Statistics in Medicine
    1998, 17:873–890). On the same images it is too wide where both tend to err on the same ones.
    """
    value = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, max(value - below, -1.0), min(value + above, 1.0))


def wilson(successes: int, trials: int) -> Estimate:
    """A proportion with the score interval of Wilson (1927)."""
    rate, square = successes / trials, NORMAL_975**2 / trials
    centre = (rate + square / 2) / (1 + square)
    reach = math.sqrt(square * rate * (1 - rate) + square**2 / 4) / (1 + square)
    return Estimate(rate, min(max(centre - reach, 0.0), rate), max(min(centre + reach, 1.0), rate))


def two_sides(id_scores: Scores, ood_scores: Scores) -> tuple[Vector, Vector]:
    """Both sides as checked float64 vectors."""
    return _vector(id_scores, "in-distribution"), _vector(ood_scores, "OOD")


def _ascending(id_scores: Scores, ood_scores: Scores) -> tuple[Vector, Vector]:
    inside, outside = two_sides(id_scores, ood_scores)
    return np.sort(inside), np.sort(outside)


def share_below(scores: Vector, ascending: Vector) -> Vector:
    """For each score the share of the other side that lies below it, ties counted by half. O((m + n) log n)."""
    order = np.argsort(scores)
    sorted_scores = scores[order]  # looked up in order they find the cache warm, which halves the time
    below = np.empty(len(scores))
    below[order] = np.searchsorted(ascending, sorted_scores, "left") + np.searchsorted(ascending, sorted_scores, "right")
    return below / (2 * len(ascending))


def _vector(scores: Any, side: str) -> Vector:
    if isinstance(scores, Tensor):
        scores = scores.detach().double().cpu().numpy()
    vector = np.asarray(scores, dtype=np.float64)
    if vector.ndim != 1 or len(vector) == 0:
        raise UsageError(f"{side} scores must be a vector of at least one number, got shape {vector.shape}")
    if bad := len(vector) - int(np.isfinite(vector).sum()):
        raise InputError(f"{bad} of {len(vector)} {side} scores are NaN or infinite; look at the features they were made of")
    return vector


def _rate_at_95(scored: Vector, positive: Vector) -> Estimate:
    """The share of ``scored`` at or below the smallest threshold that has 95 % of ``positive`` at or below it; both ascend.

    Two things are uncertain, the rate at a given threshold (Wilson) and the threshold itself: with the binomial limits of the
    rank of a 95th percentile, its rates at the two neighbouring thresholds. MOVER (Zou and Donner, Statistics in Medicine 2008,
    27:1693–1702) adds the two distances to each side in squares.
    """

    def below(rank: int) -> int:
        """How many of ``scored`` lie at or below the threshold of this rank, counted from 1; beyond both ends none and all."""
        if rank < 1:
            return 0
        return int(np.searchsorted(scored, positive[rank - 1], "right")) if rank <= len(positive) else len(scored)

    count = len(positive)
    rate, low, high = wilson(below(-(-95 * count // 100)), len(scored))
    first, last = (below(rank) / len(scored) for rank in _rank_limits(count))
    return Estimate(
        rate, max(rate - math.hypot(rate - low, rate - first), 0.0), min(rate + math.hypot(high - rate, last - rate), 1.0)
    )


@cache
def _rank_limits(count: int) -> tuple[int, int]:
    """Ranks between which a sample's true 95th percentile lies with 95 %; 0 and count + 1 stand for the open ends.

    The order statistic of rank r exceeds the percentile with probability P(B < r), B binomial (count, 0.95).
    """
    drawn = np.arange(count)
    steps = np.log((count - drawn) / (drawn + 1) * (0.95 / 0.05))
    exceeds = np.cumsum(np.exp(count * math.log(0.05) + np.concatenate([[0.0], np.cumsum(steps)])))
    return int(np.searchsorted(exceeds, 0.025, "right")), int(np.searchsorted(exceeds, 0.975, "left")) + 1


def _auprs(inside: Vector, outside: Vector) -> tuple[float, float]:
    """With ID and with OOD as the positive class; both sides ascend."""
    thresholds = np.unique(np.concatenate([inside, outside]))
    id_up_to, ood_up_to = (np.searchsorted(side, thresholds, "right") for side in (inside, outside))
    id_from, ood_from = (up_to[-1] - np.append(0, up_to[:-1])[::-1] for up_to in (id_up_to, ood_up_to))
    return _aupr(id_from, ood_from), _aupr(ood_up_to, id_up_to)


def _aupr(true: Counts, false: Counts) -> float:
    """The area, from how many images of either class are taken for positive at each threshold, the fewest first."""
    precision = np.concatenate([[1.0], true / (true + false)])
    recall = np.concatenate([[0.0], true / true[-1]])
    return float(np.trapezoid(precision, recall))
