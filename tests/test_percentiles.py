"""Percentiles against numpy on the whole, in several dtypes and chunks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.multiprocessing.reductions import StorageWeakRef

from oodkit import percentiles
from oodkit.errors import NotApplicableError, UsageError
from oodkit.outputs import Outputs
from oodkit.percentiles import column_percentiles, percentile, percentile_of

from .small_outputs import in_pieces


def outputs_of(features):
    return Outputs(features, logits=torch.zeros(len(features), 4))


def random(rows, width, seed=0):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def passes_over(monkeypatch):
    """A list that grows with each pass over outputs."""
    passes = []
    chunks = Outputs.chunks
    monkeypatch.setattr(Outputs, "chunks", lambda self: passes.append(self) or chunks(self))
    return passes


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("percent", [0, 0.1, 10, 50, 90, 99.9, 100])
def test_a_percentile_is_numpys(dtype, percent):
    features = (random(200, 7) * torch.tensor([1e-3, 1, 1e3, 1, 1, 0, 1])).to(dtype)
    expected = np.percentile(features.double().numpy(), percent)
    assert percentile(in_pieces(outputs_of(features), 13), percent) == pytest.approx(expected, rel=1e-12)


def test_a_percentile_by_hand():
    """Of 0, 10, 20, 30 the 50th lies midway between 10 and 20, the 90th at position 2.7."""
    outputs = outputs_of(torch.tensor([[30.0, 0.0], [20.0, 10.0]]))
    assert percentile(outputs, 50) == 15
    assert percentile(outputs, 90) == pytest.approx(27)


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40), st.integers(0, 40))
def test_order_statistics_are_those_of_sorting(values, rank):
    """Whatever the signs, the sizes (subnormal ones too) and the ties."""
    rank = min(rank, len(values) - 1)
    found = percentiles._order_statistics(outputs_of(torch.tensor(values)[:, None]), [rank, 0])
    assert found == [sorted(values)[rank], min(values)]


def test_more_entries_than_torch_quantile_takes():
    """17 million, of which the last 17,000 are 1: the 99.9th percentile is the first of them or next to it."""
    features = torch.zeros(17_000, 1000)
    features[-17:] = 1
    outputs = outputs_of(features)
    assert percentile(outputs, 99.89) == 0
    assert percentile(outputs, 99.91) == 1


def test_a_percentile_of_nothing_or_beyond_the_ends():
    with pytest.raises(UsageError, match="between 0 and 100, got 101"):
        percentile(outputs_of(torch.zeros(1, 1)), 101)
    with pytest.raises(NotApplicableError, match="no features"):
        percentile(outputs_of(torch.zeros(0, 1)), 50)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_further_percentages_do_not_count_the_leading_digits_again(dtype, monkeypatch):
    outputs = outputs_of(random(50, 3).to(dtype))
    values = outputs.features.double().numpy()
    assert percentile(outputs, 90) == pytest.approx(np.percentile(values, 90), rel=1e-12)
    passes = passes_over(monkeypatch)
    assert percentile(outputs, 10) == pytest.approx(np.percentile(values, 10), rel=1e-12)
    assert len(passes) == (0 if dtype == torch.float16 else 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("columns", [5, 2])
def test_column_percentiles_are_numpys_along_the_images(dtype, columns, monkeypatch):
    """In one block of columns, and in blocks of two of the five columns, one of which is 0 throughout."""
    monkeypatch.setattr(percentiles, "BLOCK_BYTES", columns * 60 * dtype.itemsize)
    features = (random(60, 5) * torch.tensor([1e-3, 1, 1e3, 0, 1])).to(dtype)
    outputs = in_pieces(outputs_of(features), 13)
    passes = passes_over(monkeypatch)
    found = column_percentiles(outputs, [60, 95, 0, 100])
    np.testing.assert_allclose(found, np.percentile(features.double().numpy(), [60, 95, 0, 100], axis=0), rtol=1e-12)
    assert len(passes) == -(-5 // columns)


def test_columns_are_gathered_without_keeping_the_chunks(monkeypatch):
    """A chunk widened to float32 that lives on in a view of a few of its columns is all of the features in the end."""
    chunks, storages, alive = Outputs.chunks, [], []

    def watched(self):
        for chunk in chunks(self, 10):
            alive.append(sum(not storage.expired() for storage in storages))
            storages.append(StorageWeakRef(chunk.features.untyped_storage()))
            yield chunk

    monkeypatch.setattr(Outputs, "chunks", watched)
    column_percentiles(outputs_of(random(60, 5).half()), [50])
    assert max(alive) <= 1, "the one that was given last"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_have_no_percentiles(dtype, value):
    features = random(50, 3).to(dtype)
    features[7, 1] = value
    for find in (lambda: percentile(outputs_of(features), 50), lambda: column_percentiles(outputs_of(features), [50])):
        with pytest.raises(NotApplicableError, match="the features to learn from hold NaN or infinite values"):
            find()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_largest_numbers_are_finite(dtype):
    ends = torch.tensor([[torch.finfo(dtype).min], [torch.finfo(dtype).max]], dtype=dtype)
    assert percentile(outputs_of(ends), 0) == column_percentiles(outputs_of(ends), [0]).item() == torch.finfo(dtype).min
    assert percentile(outputs_of(ends), 100) == column_percentiles(outputs_of(ends), [100]).item() == torch.finfo(dtype).max


def test_column_percentiles_of_nothing():
    with pytest.raises(NotApplicableError, match="no features"):
        column_percentiles(outputs_of(torch.zeros(0, 3)), [50])


@pytest.mark.parametrize("percent", [0, 33.3, 90, 100])
def test_the_percentile_of_a_tensor_is_numpys(percent):
    values = random(31, 9)
    assert percentile_of(values, percent).item() == pytest.approx(np.percentile(values.double().numpy(), percent), rel=1e-12)


def test_the_percentile_of_a_tensor_larger_than_torch_quantile_takes():
    assert percentile_of(torch.arange(2**24 + 1), 50) == 2**23


def test_features_changed_in_place_are_counted_again():
    features = random(50, 3)
    outputs = outputs_of(features)
    percentile(outputs, 90)
    features += 1
    assert percentile(outputs, 90) == pytest.approx(np.percentile(features.double().numpy(), 90), rel=1e-12)
