"""Moments of features and their eigendecompositions against numpy on the whole, in several dtypes and chunks."""

import gc
import weakref

import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError, OutputsError
from oodkit.memo import once
from oodkit.moments import eigenpairs_of_few, moments, unit_moments, whitening

from .small_outputs import in_pieces, outputs_of, random


@pytest.mark.parametrize("pieces", [120, 7])
@pytest.mark.parametrize("offset", [0, 1e4])
def test_moments_are_those_of_numpy(pieces, offset):
    """With an offset of 1e4 a sum of squares would lose eight of float64's sixteen digits."""
    features, labels = random()
    x, y = features.double().numpy() + offset, labels.numpy()
    found = moments(in_pieces(outputs_of(torch.from_numpy(x), labels), pieces))
    means = np.stack([x[y == c].mean(0) for c in range(3)])
    residual = x - means[y]
    assert found.count == 120
    assert found.class_counts.tolist() == [*np.bincount(y), 0]
    np.testing.assert_allclose(found.mean, x.mean(0), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(found.class_means[:3], means, rtol=1e-13, atol=1e-13)
    assert not found.class_means[3].any()
    np.testing.assert_allclose(found.within, residual.T @ residual / 120, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.total, np.cov(x.T, bias=True), rtol=1e-9, atol=1e-11)


def test_unlabelled_images_are_one_more_class():
    """1 and 3 are class 0 (mean 2), 10 and 14 have no label (mean 12): within = (1 + 1 + 4 + 4)/4, total = Σ (x − 7)²/4 = 27.5."""
    found = moments(outputs_of(torch.tensor([[1.0], [3], [10], [14]]), torch.tensor([0, 0, -1, -1])))
    assert (found.within.item(), found.total.item()) == pytest.approx((2.5, 27.5))
    assert found.class_counts.tolist() == [2, 0, 0, 0]


@pytest.mark.parametrize("rows", [50, 5])
def test_images_that_are_all_alike_have_no_direction_in_which_they_differ(rows):
    """Their mean is another by rounding: of 50 rows of 1/√8 the variance would be 1e-33, and every other image infinitely far."""
    found = unit_moments(outputs_of(torch.full((rows, 8), 0.3, dtype=torch.float64)))
    assert found.whitener.shape == found.total_whitener.shape == (8, 0)
    assert found.total_rank == 0


def test_half_precision_features_do_not_overflow_the_moments():
    """300² is beyond float16."""
    found = moments(outputs_of(torch.tensor([[300.0], [-300]]).half()))
    assert found.total.item() == 90000


def test_moments_of_unusable_outputs():
    with pytest.raises(NotApplicableError, match="got no images"):
        moments(outputs_of(torch.zeros(0, 2)))
    with pytest.raises(NotApplicableError, match="NaN or infinite"):
        moments(outputs_of(torch.tensor([[1.0], [torch.inf]])))
    with pytest.raises(OutputsError, match="a label is 4, but the head has 4 classes"):
        moments(outputs_of(torch.zeros(1, 2), torch.tensor([4])))


def test_what_is_remembered_is_forgotten_with_its_outputs():
    outputs = outputs_of(random()[0])
    found = weakref.ref(moments(outputs))
    gc.collect()
    assert found() is not None
    del outputs
    gc.collect()
    assert found() is None


@pytest.mark.parametrize("rank", [6, 3])
def test_whitening_is_a_root_of_the_pseudo_inverse(rank):
    basis = random(rank, 6)[0].double()
    covariance = basis.mT @ basis
    factor = whitening(covariance)
    assert factor.shape == (6, rank)
    torch.testing.assert_close(factor @ factor.mT, torch.linalg.pinv(covariance, hermitian=True), rtol=1e-7, atol=1e-9)


def test_a_covariance_of_nothing_has_an_empty_root():
    assert whitening(torch.zeros(3, 3)).shape == (3, 0)


def test_few_rows_have_the_eigenpairs_of_their_whole_covariance():
    rows = torch.randn(6, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows[5] = rows[0] + rows[1]  # rank 5
    values, vectors = eigenpairs_of_few(rows)
    assert vectors.shape == (20, 5)
    torch.testing.assert_close(vectors.mT @ vectors, torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(vectors * values @ vectors.mT, rows.mT @ rows / 6)


def test_fewer_images_than_features_whiten_as_many_do():
    """The same covariance by both ways: of N rows, and of the same rows often enough to outnumber the features."""
    features = torch.randn(7, 16, generator=torch.Generator().manual_seed(0))
    few, many = outputs_of(features), outputs_of(features.repeat(4, 1))
    factors = moments(few).whitener, moments(many).whitener
    assert moments(few).few is not None
    assert moments(many).few is None
    torch.testing.assert_close(*(factor @ factor.mT for factor in factors))


@pytest.mark.parametrize("rows", [120, 4])
def test_eigenpairs_are_those_of_the_second_moment_about_any_centre_in_any_units(rows):
    features, labels = random(rows)
    x, centre, units = features.double().numpy(), np.arange(6.0), np.array([1, 2, 1, 0.5, 3, 1])
    found = moments(outputs_of(features, labels))
    for values, vectors, v in (
        (*found.eigenpairs(), x - x.mean(0)),
        (*found.eigenpairs(torch.from_numpy(centre)), x - centre),
        (*found.eigenpairs(deviations=torch.from_numpy(units)), (x - x.mean(0)) / units),
    ):
        assert values.tolist() == sorted(values.tolist())
        np.testing.assert_allclose(vectors * values @ vectors.mT, v.T @ v / rows, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("width", [63, 64, 65, 260, 301])
def test_blocks_of_a_symmetric_product_are_the_whole_product(width):
    """A width that is no multiple of the blocks', too."""
    features, labels = random(width + 40, width)
    x, y = features.double().numpy(), labels.numpy()
    residual = x - np.stack([x[y == c].mean(0) for c in range(3)])[y]
    within = moments(in_pieces(outputs_of(features, labels), 100)).within
    np.testing.assert_allclose(within, residual.T @ residual / len(x), rtol=1e-11, atol=1e-13)
    assert torch.equal(within, within.mT)


@pytest.mark.parametrize("rows", [120, 5])
def test_moments_of_unit_features_are_those_of_the_divided_features(rows):
    """A row of zeros stays one; the moments of the features as they are do not get mixed up with them."""
    features, labels = random(rows)
    features[3] = 0
    norms = features.double().norm(dim=1, keepdim=True)
    divided = outputs_of(torch.where(norms > 0, features.double() / norms, 0.0), labels)
    outputs = outputs_of(features, labels)
    plain = moments(outputs).within.clone()
    for name in ("mean", "class_means", "within", "total"):
        torch.testing.assert_close(getattr(unit_moments(outputs), name), getattr(moments(divided), name))
    assert torch.equal(moments(outputs).within, plain)
    assert not torch.equal(unit_moments(outputs).within, plain)


def test_the_total_whitener_is_a_root_of_the_total_pseudo_inverse_for_few_images_too():
    for rows in (40, 8):
        found = moments(outputs_of(*random(rows, 12)))
        expected = torch.linalg.pinv(found.total, hermitian=True)
        torch.testing.assert_close(found.total_whitener @ found.total_whitener.mT, expected, rtol=1e-7, atol=1e-9)


def test_a_decomposition_is_made_once():
    found = moments(outputs_of(*random()))
    assert found.whitener is found.whitener
    assert found.total_whitener is found.total_whitener


def test_a_function_of_outputs_runs_once_for_each_of_them():
    calls = []
    count = once(lambda outputs: calls.append(outputs) or len(outputs))
    one, other = outputs_of(torch.zeros(2, 1)), outputs_of(torch.zeros(3, 1))
    assert [count(one), count(one), count(other), count(one)] == [2, 2, 3, 2]
    assert calls == [one, other]
