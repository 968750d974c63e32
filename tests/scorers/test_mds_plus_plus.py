import pytest
import torch

from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, make_scorer, parse_scorer

both = pytest.mark.parametrize("name", ["mds", "rmds"])


def divided(outputs):
    """The features divided by their lengths in float64, zeros left."""
    features = outputs.features.double()
    norms = features.norm(dim=1, keepdim=True)
    return Outputs(torch.where(norms > 0, features / norms, 0.0), outputs.labels, head=outputs.head)


@both
def test_it_is_the_plain_scorer_on_divided_features(name, toy):
    expected = make_scorer(name).fit(divided(toy.train)).score(divided(toy.test))
    found = make_scorer(f"{name}++").fit(toy.train).score(toy.test)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@both
def test_lengths_do_not_count_in_fit_nor_in_score(name, toy):
    """Each image's feature times a factor of its own."""
    scaled = [Outputs(one.features * torch.linspace(0.5, 8, len(one))[:, None].double(), one.labels, head=toy.head)
              for one in (toy.train, toy.test)]  # fmt: skip
    expected = make_scorer(f"{name}++").fit(toy.train).score(toy.test)
    found = make_scorer(f"{name}++").fit(scaled[0]).score(scaled[1])
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@both
def test_features_of_zeros_stay_zeros(name, toy):
    features = toy.train.features.clone()
    features[7] = 0
    train = Outputs(features, toy.train.labels, head=toy.head)
    expected = make_scorer(name).fit(divided(train)).score(Outputs(torch.zeros(1, 32).double(), head=toy.head))
    found = make_scorer(f"{name}++").fit(train).score(Outputs(torch.zeros(1, 32), head=toy.head))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["mds++", "rmds++"])
def test_a_name_with_plus_signs_is_read_as_any_other(name):
    assert type(parse_scorer(f" {name} ")) is SCORERS[name]
    assert parse_scorer(name).spec() == name
