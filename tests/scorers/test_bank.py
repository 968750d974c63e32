"""The search for the largest inner products, and the sample that a bank is made of."""

import pytest
import torch

from oodkit.outputs import Outputs
from oodkit.scorers import bank
from oodkit.scorers.bank import largest_products, sample, unit_bank


def random(rows, width, seed):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("k", [1, 5, 150, 300])
def test_both_searches_agree_with_sorting_all_products(k, monkeypatch):
    monkeypatch.setattr(bank, "BANK_ROWS", 64)
    queries, rows = random(20, 9, 0), random(300, 9, 1)
    expected = (queries @ rows.mT).sort(dim=1, descending=True).values[:, :k]
    torch.testing.assert_close(bank._by_faiss(queries, rows, k), expected)
    torch.testing.assert_close(bank._by_torch(queries, rows, k), expected)


def test_a_query_that_is_not_finite_gives_nan_and_leaves_the_others_alone():
    queries = random(3, 4, 0)
    queries[1, 2] = torch.nan
    products = largest_products(queries, random(10, 4, 1), 2)
    assert products.isfinite().all(1).tolist() == [True, False, True]


def test_the_bank_holds_unit_rows_or_unit_rows_times_the_energy(toy):
    rows = unit_bank(toy.train)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(toy.train)))
    torch.testing.assert_close(unit_bank(toy.train, energy=True), rows * toy.train.logits.logsumexp(1, keepdim=True))


def test_a_sample_holds_the_same_images_in_whatever_order_they_come(toy):
    order = torch.randperm(len(toy.train), generator=torch.Generator().manual_seed(7))
    drawn, again = sample(toy.train, 0.2, 1, 0), sample(toy.train.subset(order), 0.2, 1, 0)
    assert sorted(drawn.indices.tolist()) == sorted(again.indices.tolist())
    assert sorted(sample(toy.train, 0.2, 1, seed=1).indices.tolist()) != sorted(drawn.indices.tolist())
    assert sorted(torch.bincount(drawn.labels).tolist()) == [10, 10, 10, 11]  # a fifth of 51, 51, 51 and 50, 41 in all


def test_a_sample_has_at_least_as_many_images_as_asked_for():
    outputs = Outputs(random(50, 3, 0), torch.zeros(50), logits=torch.zeros(50, 2))
    assert len(sample(outputs, 0.1, least=20, seed=0)) == 20
    assert len(sample(outputs, 0.1, least=80, seed=0)) == 50
