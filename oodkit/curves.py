"""Scores as pictures show them: histograms on edges that outliers do not stretch, and ROC curves of few points.

Every function takes finite scores, float64 vectors of at least one number, higher = more in-distribution.
"""

from collections.abc import Sequence

import numpy as np

from oodkit.metrics import Vector

BINS = 48
REACH = 0.75  # of the width between the 5th and the 95th percentile, beyond both; all of a normal distribution but 4 in 100,000
WIDEST = 10.0  # median widths that the edges go beyond the ID scores at most
POINTS = 101
STRETCHES = 4 * POINTS  # of the curve, from which its corners are picked: with 100,000 images it has tens of thousands


def robust_edges(id_scores: Vector, others: Sequence[Vector], bins: int = BINS) -> Vector:
    """(bins + 1,) ascending edges of equal width that show the ID scores and the other sets' beside each other.

    The edges span every set's scores, but of each set no further than 0.75 of the width between its 5th and its 95th percentile
    beyond these, and no further from the ID scores than ten times the median width of the sets: a few scores of −1e6, or a whole
    set of them, would leave all others in one bin. Scores that are all equal get edges around them.
    """
    spans = np.array([_span(scores) for scores in (id_scores, *others)])
    low, high = spans[:, 0].min(), spans[:, 1].max()
    if width := float(np.median(spans[:, 1] - spans[:, 0])):
        low, high = max(low, spans[0, 0] - WIDEST * width), min(high, spans[0, 1] + WIDEST * width)
    largest = max(abs(low), abs(high))
    if high - low <= 1e-9 * largest or low == high:
        low, high = low - max(largest, 1) / 2, high + max(largest, 1) / 2
    return np.linspace(low, high, bins + 1)


def densities(scores: Vector, edges: Vector) -> Vector:
    """(bins,) the share of the scores in each bin over the bin's width; scores beyond the edges count in the outermost bins."""
    counts, _ = np.histogram(np.clip(scores, edges[0], edges[-1]), edges)
    return counts / (len(scores) * np.diff(edges))


def roc_points(id_scores: Vector, ood_scores: Vector) -> tuple[Vector, Vector]:
    """At most 101 vertices of the ROC curve: the shares of OOD (x) and of ID images (y) with s ≥ t, as the threshold t falls.

    They run from (0, 0) to (1, 1), points within a straight stretch left out. Tied scores of both sides make a slanted stretch, so
    that the area below the whole curve is the AUROC with ties counted half; with 101 points it differs from that by less than
    0.002. Vertices are dropped one by one, each time that which changes the area least among those that do not take it further
    from the AUROC (after Visvalingam and Whyatt, The Cartographic Journal 1993). O(n log n).
    """
    x, y = _vertices(id_scores, ood_scores)
    excess = -float(np.trapezoid(y, x))
    if len(x) > POINTS:
        first = np.searchsorted(x + y, np.linspace(0, 2, STRETCHES))
        ends = np.unique([first, np.maximum(first - 1, 0)])  # of each short stretch; what this changes of the area is mended below
        x, y = x[ends], y[ends]
    excess += float(np.trapezoid(y, x))
    while len(x) > POINTS:
        change = _area_changes(x, y)
        mending = np.flatnonzero(change * excess <= 0)
        able = mending if len(mending) else np.arange(len(change))
        dropped = able[np.abs(change[able]).argmin()]
        excess += float(change[dropped])
        x, y = (np.concatenate([one[: dropped + 1], one[dropped + 2 :]]) for one in (x, y))
    return x, y


def _span(scores: Vector) -> tuple[float, float]:
    low, high = np.percentile(scores, (5, 95))
    reach = REACH * (high - low)
    return max(float(scores.min()), low - reach), min(float(scores.max()), high + reach)


def _vertices(id_scores: Vector, ood_scores: Vector) -> tuple[Vector, Vector]:
    """Every corner of the curve; by whole numbers of images, so that what is straight is exactly so."""
    thresholds = np.unique(np.concatenate([id_scores, ood_scores]))[::-1]
    accepted = [len(one) - np.searchsorted(np.sort(one), thresholds, "left") for one in (ood_scores, id_scores)]
    x, y = (np.concatenate([[0], counts]) for counts in accepted)
    steps_x, steps_y = np.diff(x), np.diff(y)
    turns = steps_x[1:] * steps_y[:-1] != steps_x[:-1] * steps_y[1:]
    corners = np.concatenate([[True], turns, [True]])
    return x[corners] / len(ood_scores), y[corners] / len(id_scores)


def _area_changes(x: Vector, y: Vector) -> Vector:
    """By how much the area below the polygon grows where each inner vertex is dropped."""
    steps_x, steps_y = x[1:] - x[:-1], y[1:] - y[:-1]
    return (steps_x[:-1] * steps_y[1:] - steps_x[1:] * steps_y[:-1]) / 2
