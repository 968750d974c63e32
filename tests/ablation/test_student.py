"""Student's t over seeds: against a published table, SciPy, and arithmetic by hand."""

import math

import pytest

from oodkit.ablation import Gain, Spread
from oodkit.ablation.student import paired_gain, probability_within, spread_of, t_point

# Two-sided 95 % points of Student's t, as the NIST/SEMATECH e-Handbook of Statistical Methods has them, section 1.3.6.7.2
TABLE = {
    1: 12.706,
    2: 4.303,
    3: 3.182,
    4: 2.776,
    5: 2.571,
    6: 2.447,
    9: 2.262,
    10: 2.228,
    30: 2.042,
    60: 2.000,
    100: 1.984,
}


@pytest.mark.parametrize(("freedom", "point"), TABLE.items())
def test_points_are_those_of_the_published_table(freedom, point):
    assert round(t_point(freedom), 3) == point


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 8, 49, 200])
def test_probabilities_and_points_are_scipys(freedom):
    from scipy.stats import t

    for value in (0.0, 0.01, 0.7, 1.0, 2.5, 12.0, 300.0):
        expected = 1 - 2 * t.sf(value, freedom)
        assert probability_within(value, freedom) == pytest.approx(expected, abs=1e-14)
        assert probability_within(-value, freedom) == probability_within(value, freedom)
    for share in (0.5, 0.9, 0.95, 0.999):
        assert t_point(freedom, share) == pytest.approx(t.ppf((1 + share) / 2, freedom), rel=1e-9)


def test_a_paired_gain_by_hand():
    """Differences 1, 2, 3: mean 2, sd 1, t = 2√3 = 3.4641; with two degrees of freedom P(|T| > t) = 1 − t/√(t² + 2) = 0.0742."""
    gain = paired_gain([11, 22, 33], [10, 20, 30])
    assert (gain.mean, gain.n) == (2, 3)
    assert gain.low == pytest.approx(2 - 4.302653 / math.sqrt(3), abs=1e-6)
    assert gain.high == pytest.approx(2 + 4.302653 / math.sqrt(3), abs=1e-6)
    assert gain.p == pytest.approx(1 - math.sqrt(12 / 14), abs=1e-12)


def test_pairs_count_and_not_the_two_means():
    """The same values in another order: the same mean difference, and another p value."""
    close, crossed = paired_gain([1, 2, 3], [0, 1, 2.1]), paired_gain([1, 2, 3], [2.1, 0, 1])
    assert close.mean == pytest.approx(crossed.mean)
    assert close.p < 0.01
    assert crossed.p > 0.4


def test_one_pair_has_a_difference_and_no_interval():
    assert paired_gain([0.75], [0.5]) == Gain(0.25, None, None, None, 1)


@pytest.mark.parametrize(("value", "other", "mean"), [(0.5, 0.25, 0.25), (0.5, 0.5, 0)])
def test_differences_that_are_all_the_same_tell_nothing_of_their_spread(value, other, mean):
    assert paired_gain([value, value], [other, other]) == Gain(mean, None, None, None, 2)


def test_rounding_makes_no_differences_differ():
    """0.9 − 0.8 and 0.8 − 0.7 differ by 1e-16 in float64: a t of 1e15 would be called sure."""
    assert 0.9 - 0.8 != 0.8 - 0.7
    assert paired_gain([0.9, 0.8], [0.8, 0.7]) == Gain(pytest.approx(0.1), None, None, None, 2)


def test_an_enormous_t_has_a_p_value_of_no_less_than_nothing():
    assert 0 <= paired_gain([1, 1 + 1e-9, 1], [0, 0, 0]).p < 1e-9


def test_pairs_must_be_pairs():
    with pytest.raises(ValueError, match="shorter"):
        paired_gain([1, 2], [1])


def test_spreads_by_hand():
    """2, 4, 9: mean 5; (9 + 1 + 16)/2 = 13."""
    assert spread_of([2, 4, 9]) == Spread(5, math.sqrt(13), 3)
    assert spread_of([0.5]) == Spread(0.5, 0.0, 1)
