"""The bank of training images: which it holds, how it is made in bounded memory, and the exact search in it."""

import faiss
import pytest
import torch

from oodkit.errors import NotApplicableError, UsageError
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer
from oodkit.scorers.common import bank
from oodkit.scorers.common.bank import nearest, reorder, unit_bank

BANKS = ["knn", "nnguide", "relation"]
every_bank = pytest.mark.parametrize("name", BANKS)


def random(rows, width, seed):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def indices_of(outputs, seed=0, **settings):
    return outputs.indices[make_scorer("knn", seed=seed, **settings).rows(outputs)].tolist()


@pytest.mark.parametrize("k", [1, 5, 150, 300])
def test_the_search_agrees_with_sorting_all_products_and_with_faiss(k, monkeypatch):
    monkeypatch.setattr(bank, "BANK_ROWS", 64)
    queries, rows = random(20, 9, 0), random(300, 9, 1)
    expected = (queries @ rows.mT).sort(dim=1, descending=True)
    by_faiss = map(torch.from_numpy, faiss.knn(queries.numpy(), rows.numpy(), k, metric=faiss.METRIC_INNER_PRODUCT))
    for products, numbers in (nearest(queries, rows, k), by_faiss):
        torch.testing.assert_close(products, expected.values[:, :k])
        assert torch.equal(numbers, expected.indices[:, :k])


def test_a_search_holds_one_block_of_products_and_no_second_one(made, monkeypatch):
    """Beside 256 MiB of products neither another for merging nor 512 MiB of row numbers."""
    monkeypatch.setattr(bank, "BANK_ROWS", 64)
    queries, rows, k = random(20, 9, 0), random(300, 9, 1), 5
    with made:
        nearest(queries, rows, k)
    assert made.of_at_least(20 * 2 * k + 1) == ["aten.mm.default"] * 5


def test_a_bank_of_ever_so_many_rows_without_features_is_no_bank():
    """A crafted file may say so in a few bytes; views of all its parts would fill the memory before the first is multiplied."""
    with pytest.raises(RuntimeError, match="shape"):
        nearest(random(3, 4, 0), torch.empty(2**50, 0), 5)


def test_of_a_bank_smaller_than_k_all_are_found():
    assert nearest(random(3, 4, 0), random(10, 4, 1), 11)[0].shape == (3, 10)


def test_the_bank_holds_unit_rows_or_unit_rows_times_the_energy(toy):
    every = torch.arange(len(toy.train))
    rows = unit_bank(toy.train, every)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(toy.train)))
    torch.testing.assert_close(unit_bank(toy.train, every, energy=True), rows * toy.train.logits.logsumexp(1, keepdim=True))


@every_bank
def test_a_bank_is_made_a_chunk_at_a_time(name, toy, monkeypatch):
    """The rows drawn would otherwise be in memory twice."""
    taken = []
    subset = Outputs.subset
    monkeypatch.setattr(bank, "CHUNK_ROWS", 20)
    monkeypatch.setattr(Outputs, "subset", lambda self, rows: taken.append(len(rows)) or subset(self, rows))
    make_scorer(name, fraction=0.5).fit(toy.train)
    assert max(taken) == 20
    assert sum(taken) == 102


@every_bank
def test_images_that_are_not_finite_can_not_be_learnt_from(name, toy):
    features = toy.train.features.clone()
    features[7, 1] = torch.inf
    with pytest.raises(NotApplicableError, match="hold NaN or infinite values"):
        make_scorer(name, fraction=1.0).fit(Outputs(features, toy.train.labels, head=toy.head))


def test_reordering_takes_no_second_bank():
    rows, order = random(30, 150, 0), torch.randperm(30, generator=torch.Generator().manual_seed(1))
    expected, place = rows[order], rows.data_ptr()
    reorder(rows, order)
    assert torch.equal(rows, expected)
    assert rows.data_ptr() == place


def test_a_bank_holds_the_same_images_in_whatever_order_they_come(toy):
    order = torch.randperm(len(toy.train), generator=torch.Generator().manual_seed(7))
    drawn = indices_of(toy.train, fraction=0.2)
    assert indices_of(toy.train.subset(order), fraction=0.2) == drawn == sorted(drawn)
    assert indices_of(toy.train, fraction=0.2, seed=1) != drawn
    assert sorted(torch.bincount(toy.train.labels[drawn]).tolist()) == [10, 10, 10, 11]  # of 51, 51, 51 and 50, 41 in all


def test_a_bank_has_at_least_as_many_images_as_asked_for():
    outputs = Outputs(random(50, 3, 0), torch.zeros(50), logits=torch.zeros(50, 2))
    assert len(make_scorer("knn", fraction=0.1).rows(outputs, least=20)) == 20
    assert len(make_scorer("knn", fraction=0.1).rows(outputs, least=80)) == 50


@pytest.mark.parametrize(("name", "numbers"), [("knn", 32), ("nnguide", 32), ("relation", 36)])
def test_without_a_fraction_the_bank_keeps_to_its_memory(name, numbers, toy, monkeypatch):
    """Room for 120 of the 203 images, each of 32 features and, for relation, 4 softmaxes in float32. Every class gets its share."""
    monkeypatch.setattr(bank, "BANK_BYTES", 120 * 4 * numbers)
    scorer = make_scorer(name, "paper", **({"k": 5} if name == "knn" else {})).fit(toy.train)
    assert scorer.settings()["fraction"] == 120 / 203
    features = scorer.state["features" if name == "relation" else "bank"]
    assert len(features) == 120
    assert torch.bincount(features[:, :16].reshape(-1, 4, 4).sum(2).argmax(1)).tolist() == [30, 30, 30, 30]
    caution = scorer.caution(toy.test)
    assert caution.startswith("the bank holds 59 % of the training images (")
    assert "); fraction=1 takes all of them, " in caution


@every_bank
def test_a_fraction_that_was_asked_for_is_obeyed(name, toy, monkeypatch):
    monkeypatch.setattr(bank, "BANK_BYTES", 1000)
    scorer = make_scorer(name, fraction=1.0).fit(toy.train)
    assert scorer.settings()["fraction"] == 1
    assert "bank holds" not in (scorer.caution(toy.test) or "")


@every_bank
def test_a_bank_that_fits_is_whole_and_not_worth_a_word(name, toy):
    scorer = make_scorer(name, fraction=None).fit(toy.train)
    assert scorer.settings()["fraction"] == 1
    assert "bank holds" not in (scorer.caution(toy.test) or "")


def test_the_units_of_memory(toy, monkeypatch):
    """All of ImageNet at 2048 features in float32: 1,281,167 · 2048 · 4 bytes are 9.77 GiB."""
    scorer = make_scorer("knn", k=5).fit(toy.train)
    scorer.state["fraction"], scorer.fitted_on = torch.tensor(0.41), 1_281_167
    wide = Outputs(torch.zeros(1, 2048), logits=torch.zeros(1, 4))
    assert scorer.caution(wide) == "the bank holds 41 % of the training images (4 GiB); fraction=1 takes all of them, 9.77 GiB"


@every_bank
@pytest.mark.parametrize("fraction", [0.0, 1.5])
def test_an_impossible_fraction(name, fraction):
    with pytest.raises(UsageError, match="a fraction above 0 and at most 1, or none"):
        make_scorer(name, fraction=fraction)
