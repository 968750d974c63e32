import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def reference(train, test, dim, raw=False):
    """‖P s‖ / ‖s‖ as the authors make it, by scikit-learn: standardised on the training images, projected, one ratio a row."""
    scaler = StandardScaler().fit(train)
    projected = PCA(train.shape[1]).fit(scaler.transform(train)).transform(scaler.transform(test))[:, :dim]
    return np.linalg.norm(projected, axis=1) / np.linalg.norm(test if raw else scaler.transform(test), axis=1)


@pytest.fixture
def features(toy):
    """Train and test features in very different units, one of them dead in training and alive in the test."""
    units = torch.logspace(-3, 3, 32).double()
    train, test = (one.features.double() * units + 2 for one in (toy.train, toy.test))
    train[:, 25] = 1.7
    return train, test


@pytest.mark.parametrize("length", ["standardised", "raw"])
@pytest.mark.parametrize("dim", [1, 5, 31])
def test_against_scikit_learns_scaler_and_components(dim, length, toy, features):
    train, test = features
    scorer = make_scorer("neco", dim=dim, logit=False, length=length).fit(Outputs(train, toy.train.labels, head=toy.head))
    expected = reference(train.numpy(), test.numpy(), dim, raw=length == "raw")
    np.testing.assert_allclose(scorer.score(Outputs(test, head=toy.head)), expected, rtol=1e-9)


def test_the_largest_logit_multiplies(toy):
    share, product = (make_scorer("neco", logit=logit).fit(toy.train).score(toy.test) for logit in (False, True))
    torch.testing.assert_close(product, share * toy.test.logits.amax(1).double())
    assert 0 <= share.min() <= share.max() <= 1


def test_by_hand():
    """Two features that always agree, times 1 and 10: standardised one component (1, 1)/√2. (1, 0) lies at half of its square along
    it: √½, and (1, 10) wholly. A third feature, constant at 7, is centred and not divided: (1, 10, 9) is √2 of √(2 + 4) inside.
    """
    signs = torch.tensor([[1.0], [-1], [1], [-1]])
    train = Outputs(torch.cat([signs, 10 * signs, 7 + 0 * signs], 1), logits=torch.zeros(4, 2))
    scorer = make_scorer("neco", dim=1, logit=False).fit(train)
    scores = scorer.score(Outputs(torch.tensor([[1.0, 0, 7], [1, 10, 7], [1, 10, 9]]), logits=torch.zeros(3, 2)))
    assert scores.tolist() == pytest.approx([0.5**0.5, 1, (2 / 6) ** 0.5])


def test_the_images_scored_do_not_change_the_statistics(toy):
    scorer = make_scorer("neco").fit(toy.train)
    whole = scorer.score(toy.test)
    assert torch.allclose(scorer.score(toy.test.subset(torch.arange(3))), whole[:3], rtol=1e-12)


@pytest.mark.parametrize(("width", "classes", "dim"), [(32, 4, 3), (32, 100, 16), (300, 100, 99), (300, 1000, 100), (32, 2, 1)])
def test_the_number_of_components_goes_by_classes_and_features_and_is_reported(width, classes, dim):
    generator = torch.Generator().manual_seed(0)
    head = Head(torch.randn(classes, width, generator=generator), torch.zeros(classes))
    train = Outputs(torch.randn(width + 40, width, generator=generator), head=head)
    assert make_scorer("neco").fit(train).settings() == {"dim": dim, "logit": True, "length": "standardised"}


@pytest.mark.parametrize(("offset", "logit"), [(0, False), (-3, True)])
def test_the_logit_counts_where_features_can_be_negative_as_they_cannot_in_a_resnet(offset, logit, toy):
    train = Outputs(toy.train.features + offset, toy.train.labels, head=toy.head)
    assert make_scorer("neco").fit(train).settings()["logit"] is logit


def test_fewer_images_than_dimensions_give_fewer_components(toy):
    train = toy.train.subset(torch.arange(8))
    scorer = make_scorer("neco", dim=20, logit=False).fit(train)
    assert scorer.settings()["dim"] == 7
    torch.testing.assert_close(scorer.score(train), torch.ones(8, dtype=torch.float64))


@pytest.mark.parametrize("length", ["standardised", "raw"])
def test_an_image_without_length_scores_zero(length, toy):
    """At the mean of the training features for the one, at zero for the other."""
    scorer = make_scorer("neco", length=length, logit=False).fit(toy.train)
    point = scorer.state["mean"] if length == "standardised" else torch.zeros(32)
    assert scorer.score(Outputs(point[None], head=toy.head)).tolist() == [0]


def test_impossible_settings_are_reasons(toy):
    with pytest.raises(NotApplicableError, match="neco takes a dim below the 32 features of this network, got 32"):
        make_scorer("neco", dim=32).fit(toy.train)
    with pytest.raises(NotApplicableError, match="neco finds no direction in which the training features vary"):
        make_scorer("neco").fit(toy.train.subset(torch.tensor([0, 0, 0])))
