"""Rows in parts, chunks, subsets and with other heads."""

import pytest
import torch

from oodkit.errors import OutputsError
from oodkit.head import Head
from oodkit.outputs import Outputs, Skipped

HEAD = Head(torch.eye(2, 3), torch.tensor([0.0, 1.0]))


def rows_of(start, count, **rest):
    features = torch.arange(start, start + count).float()[:, None] * torch.ones(3)
    return Outputs(features, torch.arange(start, start + count) % 2, head=HEAD, indices=torch.arange(start, start + count), **rest)


@pytest.fixture
def joined():
    """Rows 0 to 9 in parts of 4, 1 and 5."""
    return Outputs.join([rows_of(0, 4), rows_of(4, 1), rows_of(5, 5)])


def test_a_head_makes_the_logits():
    assert rows_of(2, 1).logits.tolist() == [[2.0, 3.0]]
    assert (rows_of(2, 1).num_features, rows_of(2, 1).num_classes) == (3, 2)


def test_parts_read_as_one(joined):
    assert len(joined) == 10
    assert joined.features[:, 0].tolist() == list(range(10))
    assert joined.labels.tolist() == [0, 1] * 5
    assert joined.indices.tolist() == list(range(10))
    assert joined.logits[:, 1].tolist() == list(range(1, 11))
    assert joined.predictions().tolist() == [1] * 10


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_chunks_are_the_rows_in_order_and_never_larger(joined, rows):
    chunks = list(joined.chunks(rows))
    assert max(len(chunk) for chunk in chunks) <= rows
    assert torch.cat([chunk.features for chunk in chunks])[:, 0].tolist() == list(range(10))
    assert torch.cat([chunk.logits for chunk in chunks])[:, 1].tolist() == list(range(1, 11))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_kept_in_store_and_computed_in_float32(dtype):
    outputs = Outputs(torch.ones(2, 3, dtype=dtype), head=HEAD)
    chunk = next(outputs.chunks())
    assert outputs.features.dtype == dtype
    assert chunk.features.dtype == chunk.logits.dtype == outputs.logits.dtype == torch.float32


def test_stored_logits_stand_against_the_heads():
    outputs = Outputs(torch.ones(1, 3), logits=torch.tensor([[7.0, 8.0, 9.0, 0.0]]))
    assert outputs.logits.tolist() == [[7.0, 8.0, 9.0, 0.0]]
    assert outputs.num_classes == 4
    assert outputs.head is None


def test_another_head_makes_other_logits_of_the_same_images(joined):
    turned = joined.with_head(Head(-HEAD.weight, HEAD.bias))
    assert turned.logits[3].tolist() == [-3.0, -2.0]
    assert joined.logits[3].tolist() == [3.0, 4.0]
    assert torch.equal(turned.features, joined.features)
    with pytest.raises(OutputsError, match="the head takes 4 features, the outputs have 3"):
        joined.with_head(Head(torch.eye(4), torch.zeros(4)))


def test_logits_can_be_made_once_and_kept(joined, monkeypatch):
    kept = joined.with_stored_logits()
    monkeypatch.setattr(Head, "__call__", lambda *_: pytest.fail("made again"))
    assert kept.logits[:, 1].tolist() == list(range(1, 11))


def test_a_subset_takes_rows_in_any_order_or_by_a_mask(joined):
    assert joined.subset(torch.tensor([8, 0, 4, 8])).indices.tolist() == [8, 0, 4, 8]
    assert joined.subset(joined.labels == 1).indices.tolist() == [1, 3, 5, 7, 9]
    assert len(joined.subset(torch.empty(0, dtype=torch.int64))) == 0


def test_other_labels_spread_over_the_parts(joined):
    assert joined.with_labels(torch.arange(10)).subset(torch.tensor([9, 4])).labels.tolist() == [9, 4]
    with pytest.raises(OutputsError, match="the outputs have 10 rows, the labels 3"):
        joined.with_labels(torch.arange(3))


def test_without_labels_every_image_is_none_of_the_classes():
    assert Outputs(torch.ones(2, 3), head=HEAD).labels.tolist() == [-1, -1]


def test_extras_go_along_and_a_missing_one_is_named():
    outputs = rows_of(0, 4, extras={"odin": torch.arange(4)}).subset(torch.tensor([2, 1]))
    assert outputs.extra("odin").tolist() == [2, 1]
    with pytest.raises(OutputsError, match="hold no 'rankfeat'"):
        outputs.extra("rankfeat")


def test_what_was_skipped_goes_along(joined):
    joined.skipped = (Skipped(3, "x.png", "truncated"),)
    assert joined.subset(torch.tensor([0])).skipped == joined.skipped
    assert joined.with_head(HEAD).skipped == joined.skipped


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(OutputsError, match=r"must be \(N, D\), got \(3,\)"):
        Outputs(torch.ones(3), head=HEAD)
    with pytest.raises(OutputsError, match=r"logits .* or the head that makes them, got neither"):
        Outputs(torch.ones(2, 3))
    with pytest.raises(OutputsError, match="features have 2 rows, labels have 3"):
        Outputs(torch.ones(2, 3), torch.arange(3), head=HEAD)
    with pytest.raises(OutputsError, match="the head takes 3 features, the outputs have 5"):
        Outputs(torch.ones(2, 5), head=HEAD)
    with pytest.raises(OutputsError, match="nothing to join"):
        Outputs.join([])
