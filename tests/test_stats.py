"""Streaming statistics against numpy on the whole, in several dtypes and chunks."""

import gc

import numpy as np
import pytest
import torch

from oodkit import stats
from oodkit.errors import NotApplicableError, OutputsError, UsageError
from oodkit.outputs import Outputs
from oodkit.stats import (
    class_sums,
    correct_alone,
    eigenpairs_of_few,
    mean_feature,
    moments,
    require_labels,
    stratified_rows,
    unit_rows,
    whitening,
)


def outputs_of(features, labels=None, classes=4):
    labels = torch.zeros(len(features), dtype=torch.int64) if labels is None else labels
    return Outputs(features, labels, logits=torch.zeros(len(features), classes))


def in_pieces(outputs, rows):
    return Outputs.join([outputs.subset(own) for own in torch.arange(len(outputs)).split(rows)])


def random(rows=120, width=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=generator), torch.randint(3, (rows,), generator=generator)


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
    centre = np.arange(6.0)
    np.testing.assert_allclose(found.about(torch.from_numpy(centre)), (x - centre).T @ (x - centre) / 120, rtol=1e-12)


def test_unlabelled_images_are_one_more_class():
    """1 and 3 are class 0 (mean 2), 10 and 14 have no label (mean 12): within = (1 + 1 + 4 + 4)/4, total = Σ (x − 7)²/4 = 27.5."""
    found = moments(outputs_of(torch.tensor([[1.0], [3], [10], [14]]), torch.tensor([0, 0, -1, -1])))
    assert (found.within.item(), found.total.item()) == pytest.approx((2.5, 27.5))
    assert found.class_counts.tolist() == [2, 0, 0, 0]


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


def test_class_sums_by_hand():
    """Classes 0 and 2 hold 1 + 4 and 8; the unlabelled 16 stands in the last row; the mean is 29/4."""
    outputs = outputs_of(torch.tensor([[1.0], [4], [8], [16]]), torch.tensor([0, 0, 2, -1]))
    counts, sums = class_sums(outputs)
    assert counts.tolist() == [2, 0, 1, 0, 1]
    assert sums.flatten().tolist() == [5, 0, 8, 0, 16]
    assert mean_feature(outputs).tolist() == [7.25]


def test_class_sums_are_taken_once_and_serve_the_moments(monkeypatch):
    outputs = outputs_of(*random())
    sums = class_sums(outputs)
    monkeypatch.setattr(stats, "_class_sums", lambda _: pytest.fail("went through the images again"))
    assert class_sums(outputs) is sums
    torch.testing.assert_close(moments(outputs).mean, mean_feature(outputs))


def test_only_correct_images_keep_their_label():
    logits = torch.tensor([[2.0, 1], [1, 2], [1, 2]])
    outputs = Outputs(torch.zeros(3, 1), torch.tensor([0, 0, -1]), logits=logits)
    assert correct_alone(outputs).labels.tolist() == [0, -1, -1]


def test_moments_are_forgotten_with_their_outputs():
    outputs = outputs_of(random()[0])
    moments(outputs)
    before = len(stats._moments_of)
    del outputs
    gc.collect()
    assert len(stats._moments_of) == before - 1


def test_labels_can_be_required():
    require_labels(outputs_of(torch.zeros(2, 1)))
    with pytest.raises(NotApplicableError, match="1 of 2 have no label"):
        require_labels(outputs_of(torch.zeros(2, 1), torch.tensor([0, -1])))


@pytest.mark.parametrize("rank", [6, 3])
def test_whitening_is_a_root_of_the_pseudo_inverse(rank):
    basis = random(rank, 6)[0].double()
    covariance = basis.mT @ basis
    factor = whitening(covariance)
    assert factor.shape == (6, rank)
    torch.testing.assert_close(factor @ factor.mT, torch.linalg.pinv(covariance, hermitian=True), rtol=1e-7, atol=1e-9)


def test_a_covariance_of_nothing_has_an_empty_root():
    assert whitening(torch.zeros(3, 3)).shape == (3, 0)


def test_unit_rows_leave_zeros():
    assert unit_rows(torch.tensor([[3.0, 4], [0, 0]])).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_a_stratified_share_takes_its_part_of_each_class():
    labels = torch.tensor([0] * 40 + [1] * 20 + [2] * 3)
    rows = stratified_rows(labels, 0.1)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert torch.bincount(labels[rows]).tolist() == [3, 2, 1]  # 6 of 63; class 2 gives one though a tenth of 3 is none


def test_every_class_gives_one_even_beyond_the_share():
    rows = stratified_rows(torch.arange(50) // 2, 0.01)
    assert sorted((rows // 2).tolist()) == list(range(25))


def test_a_share_is_drawn_by_its_seed():
    labels = torch.arange(1000) % 10
    assert torch.equal(stratified_rows(labels, 0.2, 5), stratified_rows(labels, 0.2, 5))
    assert not torch.equal(stratified_rows(labels, 0.2, 5), stratified_rows(labels, 0.2, 6))


def test_a_share_of_named_images_does_not_depend_on_their_order():
    generator = torch.Generator().manual_seed(0)
    labels, ids = torch.arange(200) % 7, torch.randperm(1000, generator=generator)[:200]
    order = torch.randperm(200, generator=generator)
    first = ids[stratified_rows(labels, 0.3, 1, ids=ids)]
    second = ids[order][stratified_rows(labels[order], 0.3, 1, ids=ids[order])]
    assert sorted(first.tolist()) == sorted(second.tolist())


def test_a_share_of_everything_or_of_nothing():
    assert stratified_rows(torch.tensor([3, 3, -1]), 1.0).tolist() == [0, 1, 2]
    assert stratified_rows(torch.empty(0, dtype=torch.int64), 0.5).tolist() == []
    for share in (0, 1.5):
        with pytest.raises(UsageError, match=f"above 0 and at most at 1, got {share}"):
            stratified_rows(torch.zeros(1), share)


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
    factors = moments(few).whitener(), moments(many).whitener()
    assert moments(few).centred is not None
    assert moments(many).centred is None
    torch.testing.assert_close(*(factor @ factor.mT for factor in factors))
