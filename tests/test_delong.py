"""DeLong's variance against its double sum, intervals and tests against simulation and at the edges."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from oodkit.delong import (
    Comparison,
    auroc_with_interval,
    compare_aurocs,
    compare_paired,
    compare_placements,
    compare_unpaired,
    mean_auroc,
    place,
    weigh,
)
from oodkit.errors import UsageError
from oodkit.metrics import auroc, wilson

from .all_pairs import brute_placements, draw


def logit_interval(value, variance):
    centre, reach = math.log(value / (1 - value)), norm.ppf(0.975) * math.sqrt(variance) / (value * (1 - value))
    return [1 / (1 + math.exp(-limit)) for limit in (centre - reach, centre + reach)]


@pytest.mark.parametrize("ties", [False, True])
def test_variance_and_interval_against_all_pairs(ties):
    rng = np.random.default_rng(0)
    inside, outside = draw(rng, 60, 1, ties), draw(rng, 45, 0, ties)
    v10, v01 = brute_placements(inside, outside)
    found = auroc_with_interval(inside, outside)
    assert found.value == pytest.approx(v10.mean())
    assert list(found[1:]) == pytest.approx(logit_interval(v10.mean(), v10.var(ddof=1) / 60 + v01.var(ddof=1) / 45))


def test_by_hand():
    """ID 1, 3; OOD 0, 2. V10 = (½, 1), V01 = (1, ½); AUROC ¾, both sample variances 1/8, so Var = 1/16 + 1/16 = 1/8.

    The logit of ¾ is ln 3; its standard error √(1/8) / (3/16) = 1.8856; ln 3 ± 1.96 · 1.8856.
    """
    limits = [1 / (1 + math.exp(-(math.log(3) + sign * 1.959964 * 1.885618))) for sign in (-1, 1)]
    assert list(auroc_with_interval([1, 3], [0, 2])) == pytest.approx([0.75, *limits])


def test_a_weighted_mean_shares_its_id_images():
    """Var(Σ w V10)/n_id + Σ w² Var(V01)/n_ood, over all pairs."""
    rng = np.random.default_rng(1)
    inside, sets, weights = draw(rng, 50, 1), [draw(rng, 30), draw(rng, 80, -1), draw(rng, 20, 0.5)], [0.5, 0.2, 0.3]
    placed = [brute_placements(inside, outside) for outside in sets]
    shared = sum(w * v10 for w, (v10, _) in zip(weights, placed, strict=True))
    variance = shared.var(ddof=1) / 50 + sum(w**2 * v01.var(ddof=1) / len(v01) for w, (_, v01) in zip(weights, placed, strict=True))
    found = mean_auroc(inside, sets, weights)
    assert found.value == pytest.approx(sum(w * auroc(inside, outside) for w, outside in zip(weights, sets, strict=True)))
    assert list(found[1:]) == pytest.approx(logit_interval(found.value, variance))
    assert mean_auroc(inside, sets).value == pytest.approx(np.mean([auroc(inside, outside) for outside in sets]))


def test_the_interval_covers_the_true_auroc_about_95_times_in_100():
    """ID N(1, 1), OOD N(0, 1): AUROC = Φ(1/√2) = 0.760250. 1000 draws: standard error 0.7 points."""
    rng = np.random.default_rng(2)
    found = [auroc_with_interval(draw(rng, 60, 1), draw(rng, 90)) for _ in range(1000)]
    assert 0.93 <= np.mean([one.low <= 0.760250 <= one.high for one in found]) <= 0.97


def test_at_0_and_1_the_interval_is_wilsons_for_the_smaller_side():
    assert auroc_with_interval(np.arange(10, 60), np.arange(8)) == wilson(8, 8)
    assert auroc_with_interval(np.arange(8), np.arange(10, 60)) == wilson(0, 8)
    thirds = mean_auroc([5.0] * 9, [[1.0] * 7] * 6)
    assert thirds == wilson(7, 7), "six weights of a sixth add up to a little less than 1"


@pytest.mark.parametrize("images", [1, 2, 100])
def test_one_image_on_a_side_gives_a_wide_interval(images):
    inside = np.arange(images) + 0.5
    for one in (auroc_with_interval(inside, [images / 2]), auroc_with_interval([images / 2], inside)):
        assert 0 <= one.low <= one.value <= one.high <= 1
        assert one.high - one.low > 0.7


def test_scores_that_all_tie_are_at_a_half():
    assert auroc_with_interval([3.0] * 5, [3.0] * 4) == (0.5, 0.5, 0.5)


def test_the_paired_test_against_all_pairs():
    rng = np.random.default_rng(3)
    inside, outside = draw(rng, 50, 1), draw(rng, 40)
    other_in, other_out = inside + draw(rng, 50), outside + draw(rng, 40)
    (a10, a01), (b10, b01) = brute_placements(inside, outside), brute_placements(other_in, other_out)
    difference = a10.mean() - b10.mean()
    error = math.sqrt((a10 - b10).var(ddof=1) / 50 + (a01 - b01).var(ddof=1) / 40)
    found = compare_aurocs(inside, [outside], other_in, [other_out])
    assert found.difference == pytest.approx(difference)
    assert (found.low, found.high) == pytest.approx((difference - 1.959964 * error, difference + 1.959964 * error))
    assert found.p_value == pytest.approx(2 * norm.sf(abs(difference) / error))


def test_the_paired_test_of_weighted_means_against_all_pairs():
    rng = np.random.default_rng(4)
    inside, sets, weights = draw(rng, 50, 1), [draw(rng, 40), draw(rng, 25)], [0.25, 0.75]
    others = [scores + draw(rng, len(scores)) for scores in (inside, *sets)]
    placed = [(brute_placements(inside, a), brute_placements(others[0], b)) for a, b in zip(sets, others[1:], strict=True)]
    shared = sum(w * (a[0] - b[0]) for w, (a, b) in zip(weights, placed, strict=True))
    variance = shared.var(ddof=1) / 50
    variance += sum(w**2 * (a[1] - b[1]).var(ddof=1) / len(a[1]) for w, (a, b) in zip(weights, placed, strict=True))
    found = compare_aurocs(inside, sets, others[0], others[1:], weights)
    assert found.difference == pytest.approx(shared.mean())
    assert found.p_value == pytest.approx(2 * norm.sf(abs(shared.mean()) / math.sqrt(variance)))


def test_the_paired_test_rejects_a_true_null_5_times_in_100():
    """Two noisy views of the same images have one AUROC. 1000 draws: standard error 0.7 points."""
    rng = np.random.default_rng(5)
    rejected = 0
    for _ in range(1000):
        inside, outside = draw(rng, 80, 1), draw(rng, 60)
        views = [(inside + draw(rng, 80), [outside + draw(rng, 60)]) for _ in range(2)]
        rejected += compare_aurocs(*views[0], *views[1]).p_value < 0.05
    assert 0.03 <= rejected / 1000 <= 0.07


def test_a_scorer_against_itself_or_its_opposite():
    inside, outside = np.array([2.0, 3, 5]), np.array([1.0, 4])
    same = compare_aurocs(inside, [outside], 7 * inside, [7 * outside])
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    opposite = compare_aurocs([2.0, 3], [[0.0, 1]], [0.0, 1], [[2.0, 3]])
    assert (opposite.difference, opposite.p_value) == (1, 0.5)  # the sign test of two images


def test_unusable_pairs_and_weights_are_refused():
    with pytest.raises(UsageError, match="the numbers of images differ"):
        compare_aurocs([1.0, 2], [[0.0]], [1.0], [[0.0]])
    with pytest.raises(UsageError, match="the numbers of images differ"):
        compare_aurocs([1.0], [[0.0]], [1.0], [[0.0, 1.0]])
    with pytest.raises(UsageError, match="at least one OOD set"):
        mean_auroc([1.0], [])
    for weights in ([1.0], [0.5, 0.6], [1.5, -0.5]):
        with pytest.raises(UsageError, match="as many weights ≥ 0 that add up to 1"):
            mean_auroc([1.0], [[0.0], [0.0]], weights)


def test_two_images_prove_nothing_however_alike_they_differ():
    """AUROC 1 against 0 on two images a side: no variance is left to estimate, the sign test has p = 2 · ½² = ½."""
    found = compare_aurocs([1, 1], [[0, 0]], [0, 0], [[1, 1]])
    assert (found.difference, found.p_value) == (1.0, 0.5)
    assert found.low < 0
    mirrored = compare_aurocs([0, 0], [[1, 1]], [1, 1], [[0, 0]])
    assert (mirrored.low, mirrored.high) == (-found.high, -found.low)


def test_two_perfect_separations_of_few_images_may_still_differ():
    """AUROC 1 of 5 images a side is at least 1/(1 + 1.96²/5) = 0.565518 (Wilson): either may be less than the other by 0.434482."""
    perfect = compare_aurocs(np.arange(10, 15), [np.arange(5)], [1.0] * 5, [[0.0] * 5])
    assert (perfect.difference, perfect.p_value) == (0, 1)
    assert (perfect.low, perfect.high) == (pytest.approx(-0.434482, abs=1e-6), pytest.approx(0.434482, abs=1e-6))
    assert compare_aurocs(np.arange(5), [np.arange(10, 15)], [0.0] * 5, [[1.0] * 5]).high == pytest.approx(perfect.high)
    sixths = compare_aurocs([5.0] * 5, [[1.0] * 5] * 6, [3.0] * 5, [[2.0] * 5] * 6)
    assert sixths.high == pytest.approx(perfect.high), "six weights of a sixth add up to a little less than 1"


def test_of_other_scores_that_put_no_image_elsewhere_the_difference_is_0_for_certain():
    assert compare_aurocs([3.0] * 5, [[3.0] * 4], [1.0] * 5, [[1.0] * 4]) == Comparison(0.0, 0.0, 0.0, 1.0)


def test_a_thousand_images_that_differ_alike_do():
    found = compare_aurocs(np.ones(1000), [np.zeros(1000)], np.zeros(1000), [np.ones(1000)])
    assert found.low > 0.99
    assert found.p_value < 1e-9


def test_the_unpaired_test_by_hand():
    """AUROC ¾ with variance 1/8 (above). ID 0, 3 and OOD 1, 2: V10 = (0, 1), V01 = (½, ½), AUROC ½ with variance ½/2 + 0 = ¼.

    The difference is ¼, its variance 3/8: ¼ ± 1.959964 · 0.612372 = −0.950228 and, cut off, 1; z = 0.408248.
    """
    found = compare_unpaired(place([1, 3], [0, 2]), place([0, 3], [1, 2]))
    assert (found.difference, found.low, found.high) == (0.25, pytest.approx(-0.950228, abs=1e-6), 1.0)
    assert found.p_value == pytest.approx(2 * norm.sf(0.408248), abs=1e-6)


def test_the_unpaired_test_takes_sets_of_other_sizes_and_weighs_them():
    rng = np.random.default_rng(6)
    weights, sides = [0.25, 0.75], []
    for sizes in ((50, 40, 25), (30, 20, 60)):
        inside, *sets = [draw(rng, size, size == sizes[0]) for size in sizes]
        placed = [brute_placements(inside, outside) for outside in sets]
        shared = sum(w * v10 for w, (v10, _) in zip(weights, placed, strict=True))
        variance = shared.var(ddof=1) / len(inside)
        variance += sum(w**2 * v01.var(ddof=1) / len(v01) for w, (_, v01) in zip(weights, placed, strict=True))
        sides.append((shared.mean(), variance, weigh([place(inside, outside) for outside in sets], weights)))
    (first, first_variance, one), (second, second_variance, other) = sides
    found = compare_unpaired(one, other)
    assert found.difference == pytest.approx(first - second)
    assert found.p_value == pytest.approx(2 * norm.sf(abs(first - second) / math.sqrt(first_variance + second_variance)))


def test_the_unpaired_test_rejects_a_true_null_5_times_in_100_and_on_shared_images_too_seldom():
    """1000 draws: standard error 0.7 points. Two views of the same images are alike, so that there it is cautious."""
    rng = np.random.default_rng(7)
    apart = together = 0
    for _ in range(1000):
        inside, outside = draw(rng, 80, 1), draw(rng, 60)
        apart += compare_unpaired(place(inside, outside), place(draw(rng, 70, 1), draw(rng, 90))).p_value < 0.05
        views = [place(inside + draw(rng, 80), outside + draw(rng, 60)) for _ in range(2)]
        together += compare_unpaired(*views).p_value < 0.05
    assert 0.03 <= apart / 1000 <= 0.07
    assert together / 1000 < 0.03


def test_the_unpaired_test_at_the_edges():
    """AUROC 1 of 5 images a side: Wilson's lower limit 1/(1 + 1.96²/5) = 0.565518, so a standard error of 0.221678."""
    perfect, chance = place([5.0] * 5, [1.0] * 5), place([1.0] * 4, [1.0] * 4)
    found = compare_unpaired(perfect, chance)
    assert (found.difference, found.low) == (0.5, pytest.approx(0.5 - 0.434482, abs=1e-6))
    assert compare_unpaired(perfect, perfect).p_value == 1
    assert compare_unpaired(chance, chance) == Comparison(0.0, 0.0, 0.0, 1.0)


def test_sets_that_are_shared_are_paired_and_the_others_are_not():
    """Var = Var(V10 − V10′)/n + w² Var(V01 − V01′)/n of the shared set + w² (Var(V01)/n + Var(V01′)/n′) of the other."""
    rng = np.random.default_rng(8)
    first = weigh([place(inside := draw(rng, 50, 1), draw(rng, 30)), place(inside, draw(rng, 40))], [0.3, 0.7])
    second = weigh([place(inside := draw(rng, 50, 1), draw(rng, 30)), place(inside, draw(rng, 25))], [0.3, 0.7])
    parts = [(first.id - second.id).var(ddof=1) / 50, (first.ood[0] - second.ood[0]).var(ddof=1) / 30]
    parts += [first.ood[1].var(ddof=1) / 40, second.ood[1].var(ddof=1) / 25]
    reach = norm.ppf(0.975) * math.sqrt(sum(parts))
    found = compare_placements(first, second, [True, True, False])
    assert (found.difference, found.high - found.difference) == pytest.approx((first.mean - second.mean, reach))
    assert found.p_value == pytest.approx(2 * norm.sf(abs(found.difference) / math.sqrt(sum(parts))))


def test_all_shared_is_the_paired_test_and_none_or_a_perfect_side_the_unpaired_one():
    rng = np.random.default_rng(9)
    first, second = (place(draw(rng, 20, 1), draw(rng, 20)) for _ in range(2))
    assert compare_placements(first, second, [True, True]) == compare_paired(first, second)
    assert compare_placements(first, second, [False, False]) == compare_unpaired(first, second)
    perfect = place(draw(rng, 20, 99), draw(rng, 30))
    assert compare_placements(first, perfect, [True, False]) == compare_unpaired(first, perfect)


@pytest.mark.parametrize("shared", [[True, True, False], [True, False, False], [False, True, True]])
def test_whatever_is_shared_the_test_rejects_a_true_null_5_times_in_100(shared):
    """1000 draws: standard error 0.7 points. Two noisy views of images, the same ones where they are shared."""
    rng, rejected = np.random.default_rng(10), 0
    for _ in range(1000):
        images = [[draw(rng, 80, shift) for shift in (1, 0, 0.5)] for _ in range(2)]
        images[1] = [images[0][at] if same else own for at, (same, own) in enumerate(zip(shared, images[1], strict=True))]
        views = [[one + draw(rng, 80) for one in own] for own in images]
        placed = [weigh([place(inside, near), place(inside, far)]) for inside, near, far in views]
        rejected += compare_placements(*placed, shared).p_value < 0.05
    assert 0.03 <= rejected / 1000 <= 0.07
