"""The approximate index: what it finds, the recall that it tells, and that nothing but tensors is kept."""

import pytest
import torch

from oodkit.errors import NotApplicableError, UsageError
from oodkit.outputs import Outputs
from oodkit.scorers import load_scorer, make_scorer, parse_scorer
from oodkit.scorers.common import ivf
from oodkit.specs import spec_of
from oodkit.stats import unit_rows

CLASSES, WIDTH = 60, 24
INDEXED = ["knn", "nnguide"]
every_indexed = pytest.mark.parametrize("name", INDEXED)


def clustered(rows, seed, noise=0.5, shift=1.0):
    """Features around a direction for each class; the energies are about shift + 5."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, WIDTH, generator=generator)
    labels = torch.arange(rows) % CLASSES
    features = centres[labels] + noise * torch.randn(rows, WIDTH, generator=generator.manual_seed(seed))
    return Outputs(features, labels, logits=shift + features @ centres.mT / 10)


@pytest.fixture(autouse=True)
def small_banks(monkeypatch):
    monkeypatch.setattr(ivf, "LEAST_ROWS", 1000)


def fitted(name, train, **settings):
    return make_scorer(name, index="ivf", fraction=1.0, **settings).fit(train)


def found(scorer, queries, k):
    state = scorer.state
    return ivf.search(queries, state["bank"], state["centres"], state["sizes"], int(state["probes"]), k)


@pytest.fixture(scope="module")
def train():
    return clustered(2400, 1)


@every_indexed
def test_on_clustered_features_almost_all_is_found_in_few_lists(name, train):
    test = clustered(300, 2)
    approximate = fitted(name, train, k=20)
    one, other = (scorer.score(test) for scorer in (make_scorer(name, k=20, fraction=1.0).fit(train), approximate))
    assert (other <= one + 1e-5).all(), "what is missed lowers the largest products"
    assert ((one - other).abs() < 1e-5).double().mean() > 0.8
    assert approximate.settings()["recall"] > 0.95
    assert int(approximate.state["probes"]) <= len(approximate.state["sizes"]) / 8


@pytest.mark.parametrize(
    ("name", "k", "noise", "shift"),
    [("knn", 5, 0.5, 1), ("knn", 100, 2.0, 1), ("nnguide", 5, 0.5, 1), ("nnguide", 100, 2.0, 1), ("nnguide", 20, 0.5, -30)],
)
def test_the_recall_told_is_that_of_the_search(name, k, noise, shift):
    """Each of the 500 images asks for its k nearest but itself, among all products and through the index."""
    train = clustered(2400, 1, noise, shift)
    scorer = fitted(name, train, k=k)
    unit = unit_rows(train.features)
    bank = unit * train.logits.logsumexp(1, keepdim=True) if name == "nnguide" else unit
    rows = ivf.asked(len(train), 0)
    products = unit[rows] @ bank.mT
    own = products.gather(1, rows[:, None])
    least = products.scatter(1, rows[:, None], -torch.inf).topk(k).values[:, -1:]
    through = found(scorer, unit[rows], k + 1)
    right = (through >= least - 1e-6) & ((through - own).abs() > 1e-6)
    assert right.double().sum(1).mean().item() / k == pytest.approx(scorer.state["recall"].item(), abs=2e-3)


def test_images_without_clusters_take_more_lists_and_it_is_told():
    train = clustered(2400, 1, noise=5.0)
    scorer = fitted("knn", train, k=20)
    recall, share = scorer.settings()["recall"], int(scorer.state["probes"]) / len(scorer.state["sizes"])
    assert 0.95 <= recall < 1
    assert share > 1 / 8
    assert scorer.caution(train) == (
        f"approximate neighbours: finds {100 * recall:.1f} % of the 20 nearest in {100 * share:.1f} % of the lists "
        "(500 bank images, each without itself; of an OOD image's perhaps fewer); hardly faster than index=exact, which finds all"
    )


@every_indexed
@pytest.mark.parametrize("recall", [0.6, 0.95, 1])
def test_the_recall_asked_for_is_reached_in_as_few_lists_as_it_takes(name, recall):
    train = clustered(2400, 1, noise=5.0)
    settings = {"index": "ivf", "fraction": 1.0, "k": 20}
    scorer, exact = make_scorer(name, **settings, recall=recall).fit(train), make_scorer(name, k=20, fraction=1.0).fit(train)
    assert recall <= scorer.settings()["recall"] <= min(recall + 0.05, 1)
    again = parse_scorer(spec_of(name, scorer.settings()))
    assert again.settings() == scorer.settings()
    assert again.fit(train).settings() == scorer.settings()
    if recall == 1:
        rows = train.subset(ivf.asked(len(train), 0))
        torch.testing.assert_close(scorer.score(rows), exact.score(rows), rtol=1e-5, atol=1e-5)


@every_indexed
@pytest.mark.parametrize("recall", [0, 1.01])
def test_a_recall_that_is_no_share_is_a_usage_error(name, recall):
    with pytest.raises(UsageError, match="a recall above 0 and at most 1"):
        make_scorer(name, recall=recall)


def test_exact_is_the_default_and_says_nothing(train):
    scorer = make_scorer("knn", k=20).fit(train)
    assert scorer.settings()["index"] == "exact"
    assert scorer.settings()["recall"] == 1
    assert scorer.caution(train) is None


@every_indexed
def test_the_order_of_the_images_does_not_matter(name, train):
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(3))
    one, other = fitted(name, train), fitted(name, train.subset(order))
    assert one.state.keys() == other.state.keys()
    assert all(torch.equal(one.state[key], other.state[key]) for key in one.state)


def test_the_seed_draws_other_centres(train):
    assert not torch.equal(fitted("knn", train).state["centres"], fitted("knn", train, seed=1).state["centres"])


@every_indexed
def test_it_is_kept_as_tensors_alone(name, train, tmp_path):
    scorer, test = fitted(name, train), clustered(50, 2)
    scorer.save(tmp_path / "scorer.safetensors")
    loaded = load_scorer(tmp_path / "scorer.safetensors")
    assert set(loaded.state) == {"bank", "centres", "sizes", "probes", "recall", "k", "fraction"}
    assert torch.equal(loaded.score(test), scorer.score(test))
    assert loaded.caution(test) == scorer.caution(test)
    assert not set(vars(scorer)) - set(scorer.settings()) - {"state", "fitted_on", "learnt_shape"}


def test_the_bank_is_the_same_images_list_by_list(train):
    state = fitted("knn", train).state
    unit = unit_rows(train.features)
    assert torch.equal(state["bank"].sort(dim=0).values, unit.sort(dim=0).values)
    lists = (state["bank"] @ state["centres"].mT).argmax(1)
    assert torch.equal(lists, torch.arange(len(state["sizes"])).repeat_interleave(state["sizes"]))


def test_fitted_again_it_forgets(train):
    scorer, other = fitted("knn", train), clustered(1200, 9)
    scorer.score(other)
    assert torch.equal(scorer.fit(other).score(train), fitted("knn", other).score(train))


def test_a_query_with_too_few_images_in_its_lists_is_looked_for_everywhere(train):
    """Of 2,400 images no 32nd of the lists, the fewest that are looked through, holds 1,500."""
    test = clustered(50, 2)
    scorer = fitted("knn", train, k=1500, recall=0.01)
    assert scorer.state["recall"] == 1
    torch.testing.assert_close(scorer.score(test), make_scorer("knn", k=1500).fit(train).score(test))


def test_queries_in_several_parts_find_the_same(train, monkeypatch):
    scorer, test = fitted("knn", train), clustered(50, 2)
    whole = scorer.score(test)
    monkeypatch.setattr(ivf, "PRODUCTS", 2000)
    torch.testing.assert_close(scorer.score(test), whole, rtol=1e-5, atol=1e-6)


def test_a_query_that_is_not_finite_leaves_the_others_alone(train):
    features = train.features[:9].clone()
    features[1, 2] = torch.nan
    assert fitted("knn", train)._score(Outputs(features, logits=torch.zeros(9, 2))).isnan().nonzero().tolist() == [[1]]


def test_images_of_zeros_and_identical_images_are_no_obstacle():
    features = torch.zeros(1500, 5)
    features[::3] = torch.tensor([1.0, 2, 3, 4, 5])
    train = Outputs(features, torch.zeros(1500), logits=torch.zeros(1500, 2))
    exact, approximate = make_scorer("knn").fit(train), fitted("knn", train)
    torch.testing.assert_close(approximate.score(train), exact.score(train))


@every_indexed
def test_a_small_bank_is_a_reason(name, toy, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(NotApplicableError, match="at least 100000 images, got 203; take index=exact"):
        fitted(name, toy.train)


def test_it_is_asked_for_in_a_spec():
    settings = {"k": 5, "fraction": None, "seed": 0, "index": "ivf", "recall": 0.8}
    assert parse_scorer("knn:index=ivf,k=5,recall=0.8").settings() == settings
