"""Histograms that outliers do not stretch, and ROC curves of few points that keep their area."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from oodkit.curves import densities, robust_edges, roc_points
from oodkit.metrics import auroc


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_density_is_the_share_of_the_scores_over_the_width_of_the_bin():
    """Bins [0, 2) and [2, 4]: 3 of 4 scores and 1 of 4, over 2."""
    assert densities(np.array([0.0, 1, 1, 3]), np.array([0.0, 2, 4])).tolist() == [0.375, 0.125]


def test_scores_beyond_the_edges_count_in_the_outermost_bins():
    """2 of 5 scores lie below 0 and join the 0.5; the 9 joins the 3: 3/5/2 and 2/5/2."""
    assert densities(np.array([-1e6, -1, 0.5, 3, 9]), np.array([0.0, 2, 4])) == pytest.approx([0.3, 0.2])


def test_without_outliers_the_edges_span_all_scores_of_all_sets():
    edges = robust_edges(np.linspace(3, 5, 50), [np.linspace(0, 4, 50), np.linspace(1, 6, 50)])
    assert (len(edges), edges[0], edges[-1]) == (49, 0, 6)
    assert np.diff(edges) == pytest.approx(np.full(48, 6 / 48))


def test_outliers_lie_beyond_the_edges():
    """0, 1 … 100 and −1e6: the 5th and 95th of 102 values are 4.05 and 94.95, so the edges begin at 4.05 − 0.75 · 90.9."""
    scores = np.concatenate([[-1e6], np.arange(101.0)])
    edges = robust_edges(scores, [scores])
    assert (edges[0], edges[-1]) == (pytest.approx(4.05 - 0.75 * 90.9), 100)


def test_one_set_far_from_all_others_does_not_squeeze_them_into_a_bin():
    """Three sets within [0, 12] and one at −1e6: two thirds of the picture or less are left to it."""
    near = [rng(seed).normal(6, 1, 500) for seed in range(3)]
    edges = robust_edges(near[0], [*near[1:], rng(3).normal(-1e6, 1e5, 500)])
    assert edges[0] > -100
    assert densities(near[0], edges).astype(bool).sum() >= 3


def test_scores_of_a_narrow_set_beside_wide_ones_do_not_hide_those():
    """As probabilities do: those of ID images are all but 1, those of OOD images anything."""
    inside, outside = 1 - rng(0).random(1000) * 1e-6, rng(1).random(1000)
    edges = robust_edges(inside, [outside])
    assert edges[0] < 0.01


@pytest.mark.parametrize("value", [0.0, 7.0, -1e-12, 1e9, -1e17])
def test_scores_that_are_all_equal_get_edges_around_them(value):
    edges = robust_edges(np.full(9, value), [np.full(4, value)])
    assert (np.diff(edges) > 0).all()
    assert edges[0] < value < edges[-1]
    assert densities(np.full(9, value), edges).astype(bool).sum() == 1


def test_two_sets_of_one_value_each_are_both_seen():
    edges = robust_edges(np.full(9, 2.0), [np.full(4, 1.0)])
    assert (edges[0], edges[-1]) == (1, 2)


def test_a_curve_by_hand():
    """Falling thresholds: 3 takes one ID image of two; 2 the other and one OOD image of two, tied; 1 the last."""
    x, y = roc_points(np.array([3.0, 2]), np.array([2.0, 1]))
    assert list(zip(x, y, strict=True)) == [(0, 0), (0, 0.5), (0.5, 1), (1, 1)]


@pytest.mark.parametrize(
    ("inside", "outside", "corners"),
    [
        ([2, 3, 4], [0, 1], [(0, 0), (0, 1), (1, 1)]),
        ([0, 1], [2, 3, 4], [(0, 0), (1, 0), (1, 1)]),
        ([5, 5], [5, 5, 5], [(0, 0), (1, 1)]),
        ([1], [0], [(0, 0), (0, 1), (1, 1)]),
    ],
)
def test_perfect_inverted_and_constant_scores(inside, outside, corners):
    x, y = roc_points(np.array(inside, float), np.array(outside, float))
    assert list(zip(x, y, strict=True)) == corners


def drawn(kind, count):
    inside, outside = rng(1).normal(1, 1, count), rng(2).normal(0, 1, count + 7)
    return {
        "normal": (inside, outside),
        "few values": (inside.round(), outside.round()),
        "many ties": (inside.round(2), outside.round(2)),
        "inverted": (outside, inside),
        "heavy tails": (rng(3).standard_cauchy(count) + 1, rng(4).standard_cauchy(count)),
        "far apart": (inside * 1e-9 + 1, np.where(outside < 0, -1e30, 1 + outside * 1e-9)),
        "few OOD": (inside, outside[:3]),
    }[kind]


@pytest.mark.parametrize("count", [40, 3000])
@pytest.mark.parametrize("kind", ["normal", "few values", "many ties", "inverted", "heavy tails", "far apart", "few OOD"])
def test_the_points_are_of_the_whole_curve_and_hold_its_area(kind, count):
    """Against scikit-learn's curve of every threshold, and its area."""
    inside, outside = drawn(kind, count)
    x, y = roc_points(inside, outside)
    truth = np.repeat([1, 0], [len(inside), len(outside)])
    whole_x, whole_y, _ = roc_curve(truth, np.concatenate([inside, outside]), drop_intermediate=False)
    assert set(zip(x.round(12), y.round(12), strict=True)) <= set(zip(whole_x.round(12), whole_y.round(12), strict=True))
    assert len(x) <= 101
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()
    assert np.trapezoid(y, x) == pytest.approx(roc_auc_score(truth, np.concatenate([inside, outside])), abs=1e-4)


def stairs(*steps, times):
    """Scores whose curve goes so many OOD images to the right, and so many ID images up, tied, at each step."""
    groups = np.arange(len(steps) * times, 0, -1.0)
    right, up = np.array(steps * times).T
    return np.repeat(groups, up), np.repeat(groups, right)


@pytest.mark.parametrize("times", [99, 100, 101, 202, 403, 404, 809])
@pytest.mark.parametrize(
    "steps",
    [
        [(0, 30), (30, 0)],
        [(30, 0), (0, 30)],
        [(0, 30), (29, 0), (1, 1)],
        [(30, 0), (0, 29), (1, 1)],
        [(0, 4), (1, 3), (2, 2), (3, 1), (4, 0)],
        [(4, 0), (3, 1), (2, 2), (1, 3), (0, 4)],
    ],
)
def test_no_curve_loses_its_area_to_the_corners_that_are_dropped(steps, times):
    """Corners that all turn one way, at every spacing about that of the points, are the worst that scores can do."""
    inside, outside = stairs(*steps, times=times)
    x, y = roc_points(inside, outside)
    assert len(x) <= 101
    assert abs(np.trapezoid(y, x) - auroc(inside, outside)) < 0.002


def test_of_few_corners_none_is_dropped():
    """50 stairs have 99 corners within, however close they are beside a long straight stretch."""
    inside, outside = stairs((0, 1), (1, 0), times=50)
    x, _ = roc_points(np.concatenate([inside, np.full(10**5, -1.0)]), outside)
    assert len(x) == 101
