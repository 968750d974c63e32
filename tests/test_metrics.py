"""Metrics by hand, against scikit-learn, with ties, with offsets, and the coverage of their intervals."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc, precision_recall_curve, roc_auc_score

from oodkit.errors import InputError, UsageError
from oodkit.metrics import (
    Estimate,
    accuracy,
    aupr_in,
    aupr_out,
    auroc,
    difference,
    fpr95_id,
    fpr95_ood,
    mean_estimate,
    weighted_mean,
    wilson,
)

METRICS = (auroc, fpr95_ood, fpr95_id, aupr_in, aupr_out)

seeded = settings(deadline=None, derandomize=True, database=None)
few_values = st.lists(st.integers(-4, 4), min_size=1, max_size=30)


def normal(size, shift, seed):
    return np.random.default_rng(seed).normal(shift, 1, size)


def truth(id_scores, ood_scores):
    return np.r_[np.ones(len(id_scores)), np.zeros(len(ood_scores))], np.r_[id_scores, ood_scores]


def test_auroc_by_hand_with_ties_at_a_half():
    """Of six pairs (ID 2, 3; OOD 1, 2, 4): 2>1, 2=2, 2<4, 3>1, 3>2, 3<4: (3 + ½)/6."""
    assert auroc([2, 3], [1, 2, 4]) == pytest.approx(3.5 / 6)


@seeded
@given(few_values, few_values)
def test_auroc_is_scikit_learns(id_scores, ood_scores):
    assert auroc(id_scores, ood_scores) == pytest.approx(roc_auc_score(*truth(id_scores, ood_scores)))


def brute_fpr95_ood(id_scores, ood_scores):
    thresholds = sorted({*id_scores, *ood_scores})
    reached = next(t for t in thresholds if sum(s <= t for s in ood_scores) * 100 >= 95 * len(ood_scores))
    return sum(s <= reached for s in id_scores) / len(id_scores)


@seeded
@given(few_values, few_values)
def test_both_fpr95_are_their_definition_over_distinct_scores(id_scores, ood_scores):
    assert fpr95_ood(id_scores, ood_scores).value == pytest.approx(brute_fpr95_ood(id_scores, ood_scores))
    turned = [-s for s in ood_scores], [-s for s in id_scores]
    assert fpr95_id(id_scores, ood_scores).value == pytest.approx(brute_fpr95_ood(*turned))


def test_fpr95_counts_exactly_95_of_100_though_scores_tie():
    """100 distinct values, each once ID and once OOD; a ROC curve with collinear points dropped says 1.00."""
    values = np.arange(100)
    assert fpr95_ood(values, values).value == 0.95
    assert fpr95_id(values, values).value == 0.95


def test_the_two_conventions_differ_by_hand():
    """20 ID at 1..20, 20 OOD at −0.5, …, 18.5. The 19th OOD is 17.5: 17 of 20 ID are at or below. The 19th ID from above is 2:
    OOD at or above it are 2.5, …, 18.5, 17 of 20. With the ID score 20 lowered to 2, 18 of 20 are at or below 17.5; the
    19th ID from above is still 2.
    """
    ood = np.arange(20) - 0.5
    assert fpr95_ood(np.arange(1, 21), ood).value == 17 / 20
    assert fpr95_id(np.arange(1, 21), ood).value == 17 / 20
    lowered = np.r_[np.arange(1, 20), 2]
    assert (fpr95_ood(lowered, ood).value, fpr95_id(lowered, ood).value) == (18 / 20, 17 / 20)


@seeded
@given(few_values, few_values)
def test_aupr_is_the_trapezoid_area_of_scikit_learns_curve(id_scores, ood_scores):
    known, scores = truth(id_scores, ood_scores)
    for own, positive, ranked in ((aupr_in, known, scores), (aupr_out, 1 - known, -scores)):
        precision, recall, _ = precision_recall_curve(positive, ranked)
        assert own(id_scores, ood_scores) == pytest.approx(auc(recall, precision))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("offset", [-1e6, 1e6])
def test_a_far_offset_changes_nothing(metric, offset):
    """Scores on a grid of 2⁻¹⁰, so that adding 10⁶ is exact."""
    inside, outside = (np.round(normal(500, shift, 0) * 1024) / 1024 for shift in (1, 0))
    assert metric(inside + offset, outside + offset) == metric(inside, outside)


@pytest.mark.parametrize("metric", METRICS)
def test_any_scale_any_container_one_answer(metric):
    inside, outside = normal(50, 1, 1), normal(40, 0, 2)
    expected = metric(inside, outside)
    assert metric(list(inside), tuple(outside)) == expected
    assert metric(torch.from_numpy(inside).requires_grad_(), torch.from_numpy(outside)) == expected
    assert metric(2.0**-900 * inside, 2.0**-900 * outside) == expected


@pytest.mark.parametrize("metric", METRICS)
def test_unusable_scores_are_refused(metric):
    with pytest.raises(UsageError, match="OOD scores must be a vector of at least one number"):
        metric([1.0], [])
    with pytest.raises(UsageError, match=r"in-distribution scores must be a vector .* got shape \(1, 1\)"):
        metric([[1.0]], [1.0])
    with pytest.raises(InputError, match="1 of 2 in-distribution scores are NaN or infinite"):
        metric([1.0, np.nan], [1.0])
    with pytest.raises(InputError, match="2 of 2 OOD scores"):
        metric([1.0], [np.inf, -np.inf])


def test_accuracy_counts_labelled_images_only():
    estimate = accuracy(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, -1]))
    assert estimate.value == pytest.approx(2 / 3)
    assert estimate == wilson(2, 3)
    with pytest.raises(UsageError, match="needs labelled images"):
        accuracy([0], [-1])
    with pytest.raises(UsageError, match="a label for each prediction"):
        accuracy([0, 1], [0])


def test_a_difference_of_proportions_as_published():
    """Newcombe 1998, Table II, 56/70 against 48/80, method 10: 0.2000, 0.0524 to 0.3339."""
    found = difference(wilson(56, 70), wilson(48, 80))
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert difference(wilson(48, 80), wilson(56, 70)) == pytest.approx((-0.2, -0.3339, -0.0524), abs=5e-5)
    assert difference(Estimate(1.0, 0.0, 1.0), Estimate(0.0, 0.0, 1.0)) == (1.0, pytest.approx(1 - 2**0.5), 1.0)


def test_wilson_by_hand():
    """8 of 10 with z = 1.96: (0.8 + 0.19207 ± √(0.38415 · 0.16 + 0.036891)) / 1.38415, that is 0.4902 to 0.9433 (Newcombe 1998)."""
    assert wilson(8, 10) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10).low == 0
    assert wilson(10, 10).high == 1


def test_a_mean_of_estimates_has_the_mean_of_the_limits():
    assert mean_estimate([Estimate(0.2, 0.1, 0.4), Estimate(0.6, 0.5, 0.8)], [0.25, 0.75]) == pytest.approx((0.5, 0.4, 0.7))


@pytest.mark.parametrize(("inside", "outside"), [([1.0], [0.0]), ([0.0], [1.0]), ([5.0] * 9, [5.0] * 7), (range(30), [3.0])])
def test_intervals_hold_their_value_and_stay_within_0_and_1(inside, outside):
    for metric in (fpr95_ood, fpr95_id):
        value, low, high = metric(inside, outside)
        assert 0 <= low <= value <= high <= 1
    assert fpr95_ood([1.0], [0.0])[1:] == (0, 1), "one image a side tells nothing"


@pytest.mark.parametrize(("n_id", "n_ood", "shift"), [(400, 300, 2.0), (60, 800, 1.0), (500, 40, 3.0)])
def test_the_fpr_interval_covers_the_true_rate_about_95_times_in_100(n_id, n_ood, shift):
    """ID N(shift, 1), OOD N(0, 1): the threshold is z₀.₉₅ = 1.6449, the true rate Φ(1.6449 − shift). 600 draws, so that 95 %
    coverage has a standard error of 0.9 points; MOVER is allowed to be conservative, not to fall short.
    """
    true = {1.0: 0.740492, 2.0: 0.361227, 3.0: 0.087684}[shift]
    rng = np.random.default_rng(0)
    draws = [(rng.normal(shift, 1, n_id), rng.normal(0, 1, n_ood)) for _ in range(600)]
    estimates = [fpr95_ood(*draw) for draw in draws]
    covered = np.mean([one.low <= true <= one.high for one in estimates])
    assert 0.93 <= covered <= 0.99
    assert fpr95_id(*(-scores for scores in reversed(draws[0]))) == estimates[0]


def test_a_mean_of_ones_is_one():
    """Weights may add up to a little more than 1 in floating point; the schema of results has fractions end at 1."""
    assert weighted_mean([1.0] * 6, [0.25, 0.25, 0.125, 0.125, 0.1250000000000001, 0.1250000000000001]) == 1
    assert weighted_mean([0.2, 0.6], [0.25, 0.75]) == pytest.approx(0.5)
