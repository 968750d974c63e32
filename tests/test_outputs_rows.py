"""Some rows of outputs: a subset in any order or by a mask, and the rows of some images of a set."""

import pytest
import torch

from oodkit.errors import OutputsError
from oodkit.head import Head
from oodkit.outputs import Outputs, Skipped

from .ten_rows import HEAD, in_three_parts, rows_of


@pytest.fixture
def joined():
    return in_three_parts()


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
