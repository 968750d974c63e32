import pytest
import torch

from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer
from oodkit.scorers.knn import beyond_the_class


def outputs_of(features, classes=2):
    return Outputs(features, torch.zeros(len(features)), logits=torch.zeros(len(features), classes))


def test_by_hand():
    """Bank directions 0°, 90°, 180°; the query at 0° has squared distances 0, 2 and 4."""
    bank = outputs_of(torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]))
    for k, distance in ((1, 0), (2, 2), (3, 4)):
        score = make_scorer("knn", k=k).fit(bank).score(outputs_of(torch.tensor([[5.0, 0.0]])))
        assert score.item() == pytest.approx(-distance, abs=1e-6)


def test_against_all_distances(toy):
    scorer = make_scorer("knn", k=7).fit(toy.train)
    unit = [torch.nn.functional.normalize(one.features.double()) for one in (toy.ood, toy.train)]
    expected = -torch.cdist(*unit).square().sort(dim=1).values[:, 6]
    torch.testing.assert_close(scorer.score(toy.ood), expected, rtol=1e-5, atol=1e-6)


def test_the_size_of_the_features_does_not_matter(toy):
    scorer = make_scorer("knn").fit(toy.train)
    grown = Outputs(64 * toy.test.features, head=toy.head)
    assert torch.equal(scorer.score(grown), scorer.score(toy.test))


def test_k_is_clipped_to_the_bank_and_reported():
    bank = outputs_of(torch.randn(12, 3, generator=torch.Generator().manual_seed(0)))
    assert make_scorer("knn").fit(bank).settings() == {"k": 12, "fraction": 1.0, "seed": 0, "index": "exact", "recall": 1.0}


def test_a_fraction_that_leaves_fewer_than_k_is_raised_and_reported(toy):
    scorer = make_scorer("knn", k=30, fraction=0.1).fit(toy.train)
    assert scorer.settings()["k"] == 30
    assert scorer.settings()["fraction"] == 30 / 203
    assert scorer.fitted_on == 203


@pytest.mark.parametrize(("classes", "k"), [(10, 50), (11, 200), (100, 200), (101, 1000)])
def test_the_papers_k_goes_by_the_number_of_classes(classes, k):
    bank = outputs_of(torch.randn(1001, 2, generator=torch.Generator().manual_seed(0)), classes)
    assert make_scorer("knn", "paper").fit(bank).settings()["k"] == k


def test_a_query_of_zeros_is_one_away_from_everything(toy):
    score = make_scorer("knn").fit(toy.train).score(outputs_of(torch.zeros(1, 32), classes=4))
    assert score.item() == pytest.approx(-1)


def test_the_search_structure_is_no_part_of_what_is_stored(toy):
    assert {name: tensor.dtype for name, tensor in make_scorer("knn").fit(toy.train).state.items()} == {
        "bank": torch.float32,
        "k": torch.int64,
        "fraction": torch.float64,
        "recall": torch.float64,
    }


def test_a_query_that_is_not_finite_leaves_the_others_alone(toy):
    features = toy.test.features.clone()
    features[1, 2] = torch.nan
    scores = make_scorer("knn").fit(toy.train)._score(Outputs(features, head=toy.head))
    assert scores.isnan().nonzero().flatten().tolist() == [1]


def test_the_last_neighbour_of_the_class_is_not_beyond_it():
    assert beyond_the_class(50, 500, 10) is None
    assert beyond_the_class(50, 499, 10).startswith("the neighbour k = 50 lies beyond the 49.9 training images")
