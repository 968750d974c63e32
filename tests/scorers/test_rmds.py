import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def outputs_of(features, labels=None, classes=4):
    return Outputs(torch.as_tensor(features), labels, logits=torch.zeros(len(features), classes))


def reference(train, labels, test):
    """The formula with both pseudo-inverses written out, in numpy."""
    classes, own = np.unique(labels, return_inverse=True)
    means = np.stack([train[labels == c].mean(0) for c in classes])
    residual, mean = train - means[own], train.mean(0)
    precision, background = (
        np.linalg.pinv(rows.T @ rows / len(train), rcond=train.shape[1] * 2.2e-16, hermitian=True)
        for rows in (residual, train - mean)
    )
    distances = [np.einsum("nd,de,ne->n", test - centre, precision, test - centre) for centre in means]
    return np.einsum("nd,de,ne->n", test - mean, background, test - mean) - np.min(distances, axis=0)


def test_by_hand():
    """On one axis: class 0 at −6 and −4, class 1 at 4 and 6. Σ = 1, Σ₀ = (36 + 16 + 16 + 36)/4 = 26, μ = 0.

    At 4: 16/26 − 1. At 0: 0 − 25.
    """
    train = outputs_of(torch.tensor([[-6.0], [-4], [4], [6]]), torch.tensor([0, 0, 1, 1]), classes=2)
    scores = make_scorer("rmds").fit(train).score(outputs_of(torch.tensor([[4.0], [0]]), classes=2))
    assert scores.tolist() == pytest.approx([16 / 26 - 1, -25])


def test_against_the_formula_with_both_pseudo_inverses(toy):
    train, labels, test = toy.train.features.double().numpy(), toy.train.labels.numpy(), toy.test.features.double().numpy()
    scorer = make_scorer("rmds").fit(toy.train)
    assert "background" not in scorer.state, "Σ and Σ₀ have one range"
    np.testing.assert_allclose(scorer.score(toy.test), reference(train, labels, test), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("images", [22, 200])
def test_where_classes_differ_in_directions_in_which_their_images_do_not(images):
    """Few images, and many that vary within a class in 20 of 32 directions alone: the background then has a whitener of its own."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(images) % 4
    directions, means = torch.randn(20, 32, generator=generator).double(), torch.randn(4, 32, generator=generator).double()
    train = means[labels] + torch.randn(images, 20, generator=generator).double() @ directions
    test = torch.randn(50, 32, generator=generator).double()
    scorer = make_scorer("rmds").fit(outputs_of(train, labels))
    assert "background" in scorer.state
    expected = reference(train.numpy(), labels.numpy(), test.numpy())
    np.testing.assert_allclose(scorer.score(outputs_of(test)), expected, rtol=1e-7)


def test_the_background_is_divided_by_the_number_of_images(toy):
    """Every image twice changes nothing. pytorch-ood in 2024 left out the division, and the score was that of MDS."""
    twice = torch.arange(2 * len(toy.train)) % len(toy.train)
    once = make_scorer("rmds").fit(toy.train).score(toy.test)
    torch.testing.assert_close(make_scorer("rmds").fit(toy.train.subset(twice)).score(toy.test), once, rtol=1e-8, atol=1e-8)
    assert (once - make_scorer("mds").fit(toy.train).score(toy.test)).min() > 1


def test_dead_features_do_not_cost_a_second_whitener(toy):
    features = toy.train.features.clone()
    features[:, 20:26] = 0
    train = Outputs(features, toy.train.labels, head=toy.head)
    scorer = make_scorer("rmds").fit(train)
    assert "background" not in scorer.state
    expected = reference(features.double().numpy(), toy.train.labels.numpy(), toy.test.features.double().numpy())
    np.testing.assert_allclose(scorer.score(toy.test), expected, rtol=1e-7, atol=1e-7)


def test_images_without_labels_are_a_reason(toy):
    with pytest.raises(NotApplicableError, match="203 of 203 have no label"):
        make_scorer("rmds").fit(toy.train.with_labels(torch.full((203,), -1)))
