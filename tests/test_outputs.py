"""Rows in parts and chunks, their heads, labels and extras, and what is not joined."""

import numpy as np
import pytest
import torch

from oodkit.errors import OutputsError, UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs, Skipped
from oodkit.scorers import make_scorer

from .ten_rows import HEAD, in_three_parts, rows_of


@pytest.fixture
def joined():
    return in_three_parts()


def test_a_head_makes_the_logits():
    assert rows_of(2, 1).logits.tolist() == [[2.0, 3.0]]
    assert (rows_of(2, 1).num_features, rows_of(2, 1).num_classes) == (3, 2)


def test_arrays_and_tensors_with_gradients_are_taken():
    """Read-only arrays too, such as those of np.load(…, mmap_mode="r")."""
    features, labels = np.arange(6.0, dtype=np.float32).reshape(2, 3), np.array([1, 0])
    features.flags.writeable = False
    found = Outputs(features, labels, head=HEAD, indices=np.array([4, 7]), extras={"probe": features})
    assert (found.labels.tolist(), found.indices.tolist()) == ([1, 0], [4, 7])
    assert torch.equal(found.logits, HEAD(found.features))
    assert found.with_labels(labels[::-1].copy()).labels.tolist() == [0, 1]
    learning = torch.ones(2, 3, requires_grad=True)
    assert make_scorer("mls").score(Outputs(learning, logits=learning)).tolist() == [1, 1]
    for name, wrong in {"features": "x", "logits": None, "labels": np.array(["cat", "dog"])}.items():
        given = {"features": features, "logits": features, "labels": labels, name: object() if wrong is None else wrong}
        with pytest.raises(OutputsError, match=f"{name} must be a tensor or an array of numbers, got "):
            Outputs(**given)


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


def test_another_head_has_no_probe_s_findings_of_the_one_before():
    outputs = rows_of(0, 2, extras={"odin": torch.ones(2, 2)})
    outputs.obstacles = {"rankfeat": "it has no map"}
    turned = outputs.with_head(Head(-HEAD.weight, HEAD.bias))
    assert turned.obstacles == {
        "odin": "it ran with another head; extract again with the head applied",
        "rankfeat": "it has no map",
    }
    with pytest.raises(OutputsError, match="hold no 'odin': it ran with another head"):
        turned.extra("odin")
    assert (outputs.extra("odin").tolist(), dict(outputs.obstacles)) == ([[1, 1], [1, 1]], {"rankfeat": "it has no map"})


@pytest.mark.parametrize("rows", [3, 4, 100])
def test_chunks_go_over_the_ends_of_parts(joined, rows):
    """512 rows of a shard are too few for a matrix product: all chunks but the last are full."""
    assert [len(chunk) for chunk in joined.chunks(rows)] == [rows] * (10 // rows) + ([10 % rows] if 10 % rows else [])


def test_a_chunk_has_a_row_at_least(joined):
    with pytest.raises(UsageError, match="a chunk has at least 1 row, got 0"):
        next(joined.chunks(0))


def test_no_rows_give_no_chunks_and_no_predictions(joined):
    empty = joined.subset(torch.arange(0))
    assert list(empty.chunks()) == []
    assert empty.predictions().tolist() == []


def test_a_chunk_makes_each_column_once_and_only_when_it_is_asked_for(monkeypatch):
    """Ten scorers of features widen them once; scorers of logits alone never read them."""
    parts = [Outputs(torch.ones(4, 3).half(), head=HEAD, logits=torch.zeros(4, 2)) for _ in range(2)]
    (chunk,) = Outputs.join(parts).chunks()
    widened, original = [], torch.Tensor.float
    monkeypatch.setattr(torch.Tensor, "float", lambda tensor: widened.append(tensor.shape) or original(tensor))
    ready = chunk.with_stored_logits()
    assert sum(len(own.logits) for own in ready.chunks()) == 8
    assert widened == []
    for _ in range(10):
        assert next(ready.chunks()).features.dtype == torch.float32
    assert widened == [(8, 3)]


def test_a_chunk_is_its_own_chunk_where_it_fits(joined):
    """Several chunks joined, and a chunk that is to be smaller or to lie elsewhere, are cut anew."""
    first, second = joined.chunks(6)
    assert next(first.chunks()) is first
    assert [len(piece) for piece in first.chunks(4)] == [4, 2]
    assert [piece.indices.tolist() for piece in Outputs.join([first, second]).chunks(100)] == [joined.indices.tolist()]
    assert next(first.to("meta").chunks()).features.device.type == "meta"


def test_logits_can_be_made_once_and_kept(joined, monkeypatch):
    kept = joined.with_stored_logits()
    monkeypatch.setattr(Head, "__call__", lambda *_: pytest.fail("made again"))
    assert kept.logits[:, 1].tolist() == list(range(1, 11))


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
    with pytest.raises(OutputsError, match=r"logits must be \(N, 2 classes of the head\), got \(2, 5\)"):
        Outputs(torch.ones(2, 3), head=HEAD, logits=torch.ones(2, 5))
    with pytest.raises(OutputsError, match=r"logits must be \(N, C\), got \(2,\)"):
        Outputs(torch.ones(2, 3), logits=torch.ones(2))
    with pytest.raises(OutputsError, match=r"indices must be \(N,\), got \(2, 1\)"):
        Outputs(torch.ones(2, 3), head=HEAD, indices=torch.ones(2, 1))
    with pytest.raises(OutputsError, match=r"labels must be \(N,\), got \(2, 1\)"):
        Outputs(torch.ones(2, 3), torch.ones(2, 1), head=HEAD)
    with pytest.raises(OutputsError, match="nothing to join"):
        Outputs.join([])


def test_labels_below_none_of_the_classes_are_refused(joined):
    with pytest.raises(OutputsError, match="labels must be classes from 0, or −1 for none of them, got -2"):
        Outputs(torch.ones(2, 3), torch.tensor([-2, 0]), head=HEAD)
    with pytest.raises(OutputsError, match="got -100"):
        joined.with_labels(torch.full((10,), -100))


LOGITS = {"logits": torch.ones(2, 4)}
OTHER_HEAD = Head(torch.ones(4, 3), torch.ones(4))


@pytest.mark.parametrize(
    ("first", "other", "told"),
    [
        (Outputs(torch.ones(2, 3), **LOGITS), Outputs(torch.ones(2, 5), **LOGITS), r"first have features \(N, 3\) .*\(N, 5\)"),
        (Outputs(torch.ones(2, 3), **LOGITS), Outputs(torch.ones(2, 3).half(), **LOGITS), "float32, others .* torch.float16"),
        (Outputs(torch.ones(2, 3), **LOGITS), Outputs(torch.ones(2, 3), logits=torch.ones(2, 6)), r"logits \(N, 4\) .*\(N, 6\)"),
        (rows_of(0, 2), rows_of(0, 2, extras={"odin": torch.arange(2)}), r"no odin, others odin \(N\) as torch.int64"),
        (rows_of(0, 2), rows_of(0, 2).with_head(Head(-HEAD.weight, HEAD.bias)), "can't join outputs of different heads"),
        (
            Outputs(torch.ones(2, 3), **LOGITS),
            Outputs(torch.ones(2, 3), head=OTHER_HEAD, **LOGITS),
            "heads",
        ),
    ],
)
def test_what_differs_is_not_joined(first, other, told):
    for pair in ([first, other], [first, first, other]):
        with pytest.raises(OutputsError, match=told):
            Outputs.join(pair)


def test_equal_heads_are_joined_and_each_thing_skipped_or_noted_is_told_once():
    first, other = rows_of(0, 2), rows_of(2, 2).with_head(Head(HEAD.weight.clone(), HEAD.bias.clone()))
    first.skipped, other.skipped = (Skipped(7, "x", "empty"),), (Skipped(7, "x", "empty"), Skipped(8, "y", "empty"))
    first.notes, other.notes = ("a",), ("b", "a")
    both = Outputs.join([first, other])
    assert both.skipped == (Skipped(7, "x", "empty"), Skipped(8, "y", "empty"))
    assert both.notes == ("a", "b")


def test_mps_has_no_float64_and_is_refused(joined):
    with pytest.raises(UsageError, match="scorers compute in float64, which MPS lacks; use cpu here"):
        joined.to("mps")
