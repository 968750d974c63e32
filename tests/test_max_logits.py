"""The maximal logit's figures against arithmetic done by hand, their intervals against simulation and the bootstrap."""

import math

import numpy as np
import pytest

from oodkit.delong import auroc_with_interval, compare_aurocs
from oodkit.max_logits import logit_rows, mean_with_interval, relative_decrease, shift_ratio, shift_rows, standardised_gap
from oodkit.metrics import NORMAL_975, Estimate
from oodkit.scoring import Scored


def scored(inside, **ood) -> Scored:
    sets = {name: np.array(scores, dtype=float) for name, scores in ood.items()}
    sizes = {name: len(scores) for name, scores in sets.items()}
    return Scored("mls", "mls", {}, None, 0, np.array(inside, dtype=float), sets, len(inside), sizes)


def around(value: float, variance: float) -> list[float]:
    reach = NORMAL_975 * math.sqrt(variance)
    return pytest.approx([value, value - reach, value + reach])


def covered(found: list[Estimate], truth: float) -> float:
    return float(np.mean([one.low <= truth <= one.high for one in found]))


def test_a_row_is_counted_by_hand():
    """ID {6, 10}: mean 8, s² = 8, 8/2 = 4; std 2. OOD {3, 5}: mean 4, s² = 2, 2/2 = 1; std 1. Gap = 4/√((4 + 1)/2)."""
    inside, outside = logit_rows(scored([6, 10], far=[3, 5]), {"far": "far"})
    assert (inside.image_set, inside.group, inside.n, inside.std, inside.gap) == ("ID", "id", 2, 2, None)
    assert list(inside.mean) == around(8, 4)
    assert (outside.image_set, outside.group, outside.n, outside.std) == ("far", "far", 2, 1)
    assert list(outside.mean) == around(4, 1)
    assert outside.gap.value == pytest.approx(4 / np.sqrt(2.5))


def test_one_image_is_taken_to_spread_as_the_id_images_do():
    """ID {6, 10}: s² = 8, and of one image 8/1. Its own spread, and with it the gap, nobody knows."""
    (_, outside) = logit_rows(scored([6, 10], far=[3]), {"far": "far"})
    assert list(outside.mean) == around(3, 8)
    assert outside.gap is None
    assert mean_with_interval(np.array([3.0])) == mean_with_interval(np.array([3.0]), like=np.array([5.0])) == (3, 3, 3)


def test_the_gaps_interval_by_hand():
    """ID {0, 0, 6}: mean 2, v = 8; OOD {−2, 0}: mean −1, v = 1; σ² = 9/2, g = 3/√4.5 = √2, so that g/(4σ²) = √2/18.

    The deviations of ID are (−2, −2, 4), squared less v: (−4, −4, 8). ψ = deviation/√4.5 − √2/18 · that, and 1/√4.5 = √2/3:
    √2 (−2/3 + 4/18, the same, 4/3 − 8/18) = √2 (−4/9, −4/9, 8/9), whose sample variance is 2 · (96/81)/2 = 96/81.
    OOD: deviations (−1, 1), squared less v: (0, 0). ψ = ∓√2/3, sample variance 2 · 2/9 = 4/9. Var = 96/243 + 2/9.
    """
    found = standardised_gap(np.array([0.0, 0.0, 6.0]), np.array([-2.0, 0.0]))
    assert list(found) == around(math.sqrt(2), 96 / 243 + 2 / 9)


def test_of_normal_logits_the_gaps_variance_is_bonetts():
    """(v₁/n₁ + v₂/n₂)/σ² + g² (v₁²/n₁ + v₂²/n₂)/(8σ⁴) with v = 4 and 1, n = 200,000 and 100,000, g = 3/√2.5."""
    rng = np.random.default_rng(0)
    found = standardised_gap(rng.normal(3, 2, 200_000), rng.normal(0, 1, 100_000))
    gap = 3 / math.sqrt(2.5)
    variance = (4 / 200_000 + 1 / 100_000) / 2.5 + gap**2 * (16 / 200_000 + 1 / 100_000) / (8 * 2.5**2)
    assert (found.high - found.low) / 2 == pytest.approx(NORMAL_975 * math.sqrt(variance), rel=0.01)


@pytest.mark.parametrize("law", ["normal", "gamma"])
def test_the_gaps_interval_covers_the_true_gap_about_95_times_in_100(law):
    """Unequal numbers and variances; of a skewed law too. 1000 draws: standard error 0.7 points.

    Gamma of shape 4 and scales 2 and 1: means 8 and 4, variances 16 and 4, g = 4/√10. Normal of the same means and variances.
    """
    rng = np.random.default_rng(1)
    sides = ((8, 4, 2), 150), ((4, 2, 1), 400)

    def draw(mean, std, scale, size):
        return rng.normal(mean, std, size) if law == "normal" else rng.gamma(4, scale, size)

    found = [standardised_gap(*(draw(*side, size) for side, size in sides)) for _ in range(1000)]
    assert 0.93 <= covered(found, 4 / math.sqrt(10)) <= 0.97


def test_no_gap_without_spread():
    assert standardised_gap(np.array([3.0, 3.0]), np.array([1.0, 1.0])) is None
    assert standardised_gap(np.array([3.0]), np.array([1.0, 2.0])) is None


def test_the_shift_is_the_papers():
    """Baseline means 8 and 4, model means 4 and 3: r_id = 0.5, r_ood = 0.25, ratio = 0.25/0.75 = 1/3.

    Baseline: ID {6, 10} against OOD {3, 5}: P = 1. Model: ID {2, 6} against OOD {1, 5}: 3 of 4 pairs, P = 0.75.
    """
    before, after = scored([6, 10], set=[3, 5]), scored([2, 6], set=[1, 5])
    (row,) = shift_rows(after, before, {"set": "near"})
    assert (row.ood_set, row.group, row.r_id.value, row.r_ood.value) == ("set", "near", 0.5, 0.25)
    assert row.ratio.value == pytest.approx(1 / 3)
    assert row.p_baseline == auroc_with_interval([6, 10], [3, 5])
    assert row.p_model == auroc_with_interval([2, 6], [1, 5])
    assert (row.p_baseline.value, row.p_model.value, row.delta_p.value) == (1, 0.75, 0.25)


def test_the_intervals_of_r_by_hand():
    """Before {6, 10}, after {2, 6}: s = 8, r = ½. ψ = (x/2 − x′)/8 = (1/8, −1/8): sample variance 1/32, of the mean 1/64.

    After {2, 6, 4} nobody knows the pairs: Var(x/16) = 8/256 = 1/32 and Var(x′/8) = 4/64 = 1/16; 1/64 + 1/48.
    """
    before = np.array([6.0, 10.0])
    assert list(relative_decrease(before, np.array([2.0, 6.0]))) == around(0.5, 1 / 64)
    assert list(relative_decrease(before, np.array([2.0, 6.0, 4.0]))) == around(0.5, 1 / 64 + 1 / 48)


def test_the_ratios_interval_by_hand():
    """r_id ½ ± 0.3, r_ood ¼ ± 0.6, 1 − r_ood = ¾: q = 1/3; 0.3/0.75 = 0.4 and (2/3) · 0.6/0.75 = 8/15 add in squares: 2/3."""
    found = shift_ratio(Estimate(0.5, 0.2, 0.8), Estimate(0.25, -0.35, 0.85))
    assert list(found) == pytest.approx([1 / 3, 1 / 3 - 2 / 3, 1 / 3 + 2 / 3])
    assert shift_ratio(Estimate(0.5, 0.2, 0.8), Estimate(1.0, 0.9, 1.1)) is None
    assert shift_ratio(None, Estimate(0.5, 0.2, 0.8)) is shift_ratio(Estimate(0.5, 0.2, 0.8), None) is None


def logits_of_two_models(rng, sizes):
    """By set the maximal logits of both models, which rise and fall together; skewed."""
    for size, scale in zip(sizes, (2.0, 1.2), strict=True):
        before = rng.gamma(4, scale, size)
        yield before, 0.6 * before + rng.gamma(2, 0.5 * scale, size)


def test_the_intervals_are_as_wide_as_the_bootstraps():
    """Images drawn again with both models' logits: the standard deviations of r, the ratio, and δP over 1000 draws."""
    rng = np.random.default_rng(2)
    (id_before, id_after), (ood_before, ood_after) = logits_of_two_models(rng, (300, 200))
    (row,) = shift_rows(scored(id_after, set=ood_after), scored(id_before, set=ood_before), {"set": "far"})
    drawn = []
    for _ in range(1000):
        i, o = rng.integers(300, size=300), rng.integers(200, size=200)
        r_id, r_ood = 1 - id_after[i].mean() / id_before[i].mean(), 1 - ood_after[o].mean() / ood_before[o].mean()
        wins = [(a[:, None] > b).mean() for a, b in ((id_before[i], ood_before[o]), (id_after[i], ood_after[o]))]
        drawn.append((r_id, r_ood, (r_id - r_ood) / (1 - r_ood), wins[0] - wins[1]))
    widths = [(one.high - one.low) / (2 * NORMAL_975) for one in (row.r_id, row.r_ood, row.ratio, row.delta_p)]
    assert widths == pytest.approx(np.std(drawn, axis=0), rel=0.1)


def test_the_ratios_interval_covers_the_true_ratio_about_95_times_in_100():
    """The after means are 0.6 of the before ones and 2 · 0.5 scales: before 4 scales, after 3.4, so r = 0.15 on both: ratio 0.

    1000 draws: standard error 0.7 points.
    """
    rng = np.random.default_rng(3)
    pairs = [list(logits_of_two_models(rng, (150, 90))) for _ in range(1000)]
    decreases = [[relative_decrease(*pair) for pair in both] for both in pairs]
    assert 0.93 <= covered([r_id for r_id, _ in decreases], 0.15) <= 0.97
    assert 0.93 <= covered([shift_ratio(*both) for both in decreases], 0.0) <= 0.97


def test_the_fall_is_the_paired_test_first_minus_second():
    """The baseline comes first: a fall is positive."""
    rng = np.random.default_rng(4)
    (id_before, id_after), (ood_before, ood_after) = logits_of_two_models(rng, (60, 50))
    (row,) = shift_rows(scored(id_after, set=ood_after), scored(id_before, set=ood_before), {"set": "far"})
    paired = compare_aurocs(id_before, [ood_before], id_after, [ood_after])
    assert row.delta_p == (paired.difference, paired.low, paired.high)
    assert row.delta_p.value == pytest.approx(row.p_baseline.value - row.p_model.value)


def test_a_model_against_itself_has_surely_not_shifted():
    own = scored([3.1, 4.7, 6.2], set=[1.3, 3.9])
    (row,) = shift_rows(own, own, {"set": "far"})
    assert row.r_id == row.r_ood == row.ratio == row.delta_p == (0, 0, 0)


def test_of_other_images_the_fall_is_that_of_two_independent_figures():
    """P 1 of Wilson's interval for two, and P ¾: the lower distance of the one and the upper of the other, in squares."""
    before, after = scored([6, 10], set=[3, 5]), scored([2, 6], set=[1, 5, 1, 5])
    (row,) = shift_rows(after, before, {"set": "far"})
    down = math.hypot(row.p_baseline.value - row.p_baseline.low, row.p_model.high - row.p_model.value)
    up = math.hypot(row.p_baseline.high - row.p_baseline.value, row.p_model.value - row.p_model.low)
    assert list(row.delta_p) == pytest.approx([0.25, 0.25 - down, 0.25 + up])


def test_where_a_mean_of_the_baseline_is_not_positive_no_shift_is_defined():
    (row,) = shift_rows(scored([-1, -3], set=[4, 6]), scored([-1, -3], set=[4, 6]), {"set": "far"})
    assert (row.r_id, row.ratio) == (None, None)
    assert row.r_ood == (0, 0, 0)
    assert row.delta_p.value == 0


def test_of_one_image_no_shift_is_known():
    (row,) = shift_rows(scored([3, 4], set=[2]), scored([4, 6], set=[3]), {"set": "far"})
    assert row.r_id is not None
    assert (row.r_ood, row.ratio) == (None, None)
