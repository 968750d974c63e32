"""Streaming statistics against numpy on the whole, in several dtypes and chunks."""

import pytest
import torch

from oodkit.errors import NotApplicableError, OutputsError, UsageError
from oodkit.outputs import Outputs
from oodkit.stats import class_sums, mean_feature, require_labels, stratified_rows, unit_rows

from .small_outputs import outputs_of, random


def test_class_sums_by_hand():
    """Classes 0 and 2 hold 1 + 4 and 8; the unlabelled 16 stands in the last row; the mean is 29/4."""
    outputs = outputs_of(torch.tensor([[1.0], [4], [8], [16]]), torch.tensor([0, 0, 2, -1]))
    counts, sums = class_sums(outputs)
    assert counts.tolist() == [2, 0, 1, 0, 1]
    assert sums.flatten().tolist() == [5, 0, 8, 0, 16]
    assert mean_feature(outputs).tolist() == [7.25]


def test_class_sums_are_taken_once(monkeypatch):
    outputs = outputs_of(*random())
    sums = class_sums(outputs)
    monkeypatch.setattr(Outputs, "chunks", lambda *_: pytest.fail("went through the images again"))
    assert class_sums(outputs) is sums


def test_labels_can_be_required():
    require_labels(outputs_of(torch.zeros(2, 1)))
    with pytest.raises(NotApplicableError, match="1 of 2 have no label"):
        require_labels(outputs_of(torch.zeros(2, 1), torch.tensor([0, -1])))
    with pytest.raises(OutputsError, match="a label is 4, but the head has 4 classes"):
        require_labels(outputs_of(torch.zeros(2, 1), torch.tensor([0, 4])))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_unit_rows_of_very_large_or_small_entries_are_those_of_others(dtype):
    """Their squares overflow, or vanish; a power of two changes no bit of the result."""
    features = random()[0].to(dtype)
    plain = unit_rows(features)
    torch.testing.assert_close(plain, features / features.norm(dim=1, keepdim=True))
    for factor in (2.0**120, 2.0**-100):
        assert torch.equal(unit_rows(features * factor), plain)
    assert unit_rows(torch.full((1, 4), torch.finfo(dtype).max, dtype=dtype)).tolist() == [[0.5] * 4]
    assert unit_rows(torch.full((1, 4), 1e-45, dtype=dtype)).tolist() == [[pytest.approx(0.5)] * 4]
    assert unit_rows(torch.tensor([[torch.inf, 1]], dtype=dtype)).isnan().any()


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
