"""How much a lead has grown from one model to another: against all pairs, a bootstrap, simulation, and at the edges."""

import math

import numpy as np
import pytest

from oodkit.delong import (
    compare_aurocs,
    growth,
    place,
    weigh,
)

from .all_pairs import brute_placements, draw


def four_views(rng, sizes=(80, 60, 40), noise=0.5):
    """Two scorers of two models on the same images of an ID and two OOD sets; the first one's lead is larger at the first model."""
    inside, *sets = [draw(rng, size, size == sizes[0]) for size in sizes]
    return [
        [one + push * (one is inside) + noise * draw(rng, len(one)) for one in (inside, *sets)] for push in (0.6, 0.0, 0.3, 0.1)
    ]


def placed(view, weights=(0.25, 0.75)):
    return weigh([place(view[0], outside) for outside in view[1:]], weights)


def test_the_growth_of_a_lead_against_all_pairs():
    """V − W − (V′ − W′) of every image, over all pairs."""
    weights, views = [0.25, 0.75], four_views(np.random.default_rng(8))
    v10 = v01 = 0
    for sign, (inside, *sets) in zip((1, -1, -1, 1), views, strict=True):
        found = [brute_placements(inside, outside) for outside in sets]
        v10 = v10 + sign * sum(w * one[0] for w, one in zip(weights, found, strict=True))
        v01 = v01 + sign * np.array([*found[0][1], *found[1][1]])
    variance = v10.var(ddof=1) / 80 + 0.25**2 * v01[:60].var(ddof=1) / 60 + 0.75**2 * v01[60:].var(ddof=1) / 40
    found = growth(tuple(map(placed, views[:2])), tuple(map(placed, views[2:])))
    assert found == pytest.approx((v10.mean(), *(v10.mean() + sign * 1.959964 * math.sqrt(variance) for sign in (-1, 1))))


def test_the_growths_interval_is_as_wide_as_a_bootstraps():
    """Images drawn again, the same for all four; 400 draws know a standard error to 3.5 %."""
    rng = np.random.default_rng(9)
    views = four_views(rng, (200, 150, 100))
    drawn = []
    for _ in range(400):
        rows = [rng.integers(0, size, size) for size in (200, 150, 100)]
        again = [placed([one[own] for one, own in zip(view, rows, strict=True)]).mean for view in views]
        drawn.append(again[0] - again[1] - again[2] + again[3])
    found = growth(tuple(map(placed, views[:2])), tuple(map(placed, views[2:])))
    assert (found.high - found.low) / (2 * 1.959964) == pytest.approx(np.std(drawn), rel=0.12)


def test_the_growths_interval_covers_0_of_leads_that_are_alike_95_times_in_100():
    """Four equally noisy views: no lead, and no growth. 500 draws: standard error 1 point."""
    rng, covered = np.random.default_rng(10), 0
    for _ in range(500):
        inside, *sets = draw(rng, 80, 1), draw(rng, 60), draw(rng, 40)
        views = [placed([one + draw(rng, len(one)) for one in (inside, *sets)]) for _ in range(4)]
        found = growth((views[0], views[1]), (views[2], views[3]))
        covered += found.low <= 0 <= found.high
    assert 0.92 <= covered / 500 <= 0.98


def test_of_other_images_the_two_leads_are_independent():
    """The distances of their limits, in squares."""
    rng = np.random.default_rng(11)
    (first, second, *_), (*_, third, fourth) = four_views(rng), four_views(rng, (50, 30, 20))
    now, then = (compare_aurocs(a[0], a[1:], b[0], b[1:], [0.25, 0.75]) for a, b in ((first, second), (third, fourth)))
    found = growth((placed(first), placed(second)), (placed(third), placed(fourth)))
    assert found.value == pytest.approx(now.difference - then.difference)
    assert found.value - found.low == pytest.approx(math.hypot(now.difference - now.low, then.high - then.difference))
    assert found.high - found.value == pytest.approx(math.hypot(now.high - now.difference, then.difference - then.low))


def test_growth_without_any_variance_is_as_sure_as_the_leads():
    """KNN separates 5 images a side in both models, the maximal logit none: each lead is 1, with the sign test's interval."""
    perfect, opposite = place([5.0] * 5, [1.0] * 5), place([1.0] * 5, [5.0] * 5)
    lead = compare_aurocs([5.0] * 5, [[1.0] * 5], [1.0] * 5, [[5.0] * 5])
    assert growth((perfect, opposite), (perfect, opposite)) == (0, lead.low - 1, 1 - lead.low)
