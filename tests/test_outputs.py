"""Rows in parts, chunks, subsets and with other heads."""

import numpy as np
import pytest
import torch

from oodkit.errors import OutputsError, UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs, Skipped
from oodkit.scorers import make_scorer

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


def test_a_subset_takes_rows_in_any_order_or_by_a_mask(joined):
    assert joined.subset(torch.tensor([8, 0, 4, 8])).indices.tolist() == [8, 0, 4, 8]
    assert joined.subset(joined.labels == 1).indices.tolist() == [1, 3, 5, 7, 9]
    assert len(joined.subset(torch.empty(0, dtype=torch.int64))) == 0


def test_a_subset_of_many_parts_is_what_indexing_gives():
    generator = torch.Generator().manual_seed(0)
    whole = Outputs.join([rows_of(7 * part, 7, extras={"odin": torch.arange(7)}) for part in range(50)])
    rows = torch.randint(350, (1000,), generator=generator)
    subset = whole.subset(rows)
    for name in ("features", "labels", "indices", "logits"):
        assert torch.equal(getattr(subset, name), getattr(whole, name)[rows])
    assert torch.equal(subset.extra("odin"), whole.extra("odin")[rows])
    assert subset.labels.dtype == torch.int64


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (torch.tensor([0, -1]), "there are 10 rows, numbered from 0, got numbers from -1 to 0"),
        (torch.tensor([10]), "there are 10 rows, numbered from 0, got numbers from 10 to 10"),
        (torch.ones(11, dtype=torch.bool), r"rows must be \(K,\) integers or \(10,\) bool, got \(11,\) of torch.bool"),
        (torch.zeros(9, dtype=torch.bool), r"or \(10,\) bool, got \(9,\) of torch.bool"),
        (torch.tensor([0.0]), r"rows must be \(K,\) integers .*, got \(1,\) of torch.float32"),
        (torch.tensor([[0]]), r"got \(1, 1\) of torch.int64"),
    ],
)
def test_rows_that_are_not_there_are_refused(joined, rows, told):
    with pytest.raises(OutputsError, match=told):
        joined.subset(rows)


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


def test_labels_indices_and_rows_may_come_from_the_accelerator(joined):
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device here")
    order = torch.tensor([8, 0, 4], device="cuda")
    outputs = Outputs(torch.ones(3, 3), order % 2, head=HEAD, indices=order)
    assert {tensor.device.type for tensor in (outputs.labels, outputs.indices)} == {"cpu"}
    assert joined.subset(order).indices.tolist() == [8, 0, 4]
    assert joined.subset(joined.to("cuda").labels == 1).indices.tolist() == [1, 3, 5, 7, 9]
    assert joined.with_labels(torch.arange(10, device="cuda")).labels.tolist() == list(range(10))
    for chunk in joined.to("cuda").chunks(4):
        assert chunk.features.device.type == chunk.logits.device.type == "cuda"
        assert torch.equal(chunk.subset(order % 2).features.cpu(), chunk.features[order % 2].cpu())


def test_the_outputs_of_some_images_are_those_of_a_set_of_them_alone(joined):
    """Ten images in parts; 3 could not be read. Of those at 1, 3, 4 and 8 of the set, three are left, numbered 0, 2, 3."""
    whole = joined.subset(torch.tensor([0, 1, 2, 4, 5, 6, 7, 8, 9]))
    whole.skipped = (Skipped(3, "x", "empty"),)
    for outputs in (whole, Outputs.join([whole.subset(torch.arange(4)), whole.subset(torch.arange(4, 9))])):
        some = outputs.of_images(torch.tensor([1, 3, 4, 8]))
        assert some.indices.tolist() == [0, 2, 3]
        assert some.skipped == (Skipped(1, "x", "empty"),)
        assert torch.equal(some.features, joined.features[[1, 4, 8]])
        assert torch.equal(some.logits, joined.logits[[1, 4, 8]])
        assert torch.equal(some.labels, joined.labels[[1, 4, 8]])
        assert torch.equal(torch.cat([chunk.features for chunk in some.chunks(2)]), some.features)
        other = some.with_head(Head(-HEAD.weight, HEAD.bias))
        assert torch.equal(other.logits, other.head(some.features))


def test_of_all_images_the_outputs_are_the_outputs_and_of_none_there_are_none(joined):
    assert joined.of_images(torch.arange(10)) is joined
    none = joined.of_images(torch.tensor([], dtype=torch.int64))
    assert (len(none), none.features.shape, none.num_classes) == (0, (0, 3), joined.num_classes)


def test_of_some_images_no_more_is_held_than_a_chunk(joined):
    """The rows are picked out when they are asked for, so that a change of the whole is seen, and known of (``versions``)."""
    whole = Outputs(joined.features.clone(), joined.labels, head=HEAD)
    some = whole.of_images(torch.tensor([2, 5]))
    before = some.versions()
    whole.features.zero_()
    assert not some.features.any()
    assert some.versions() != before
