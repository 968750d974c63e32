import pytest
import torch
from torch.nn.functional import cross_entropy

from oodkit.errors import UsageError
from oodkit.models.adapted import Normalise
from oodkit.training.batch import Batch
from oodkit.training.recipes import make_recipe

from .toy import toy_learner

LABELS = torch.tensor([0, 1, 2, 1, 0])


def images(scale=1.0):
    return scale * torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(1))


def confidence(learner, features):
    """g by hand: a linear map, less its mean over the batch and over its (biased) deviation, through 1 / (1 + exp(−x))."""
    linear = learner.extra[0]
    raw = features @ linear.weight.T + linear.bias
    centred = raw - raw.mean()
    return 1 / (1 + torch.exp(-centred / (centred.square().mean() + learner.extra[1].eps).sqrt()))


def likeness(learner, features, similarity):
    weight, bias = learner.head_layer.weight, learner.head_layer.bias
    if similarity == "inner":
        return features @ weight.T + bias
    return (features @ weight.T) / features.norm(dim=1, keepdim=True) / weight.norm(dim=1)


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
def test_the_loss_is_that_of_likeness_over_confidence(similarity):
    learner = toy_learner(make_recipe("godin", similarity=similarity))
    features = images().flatten(1)
    logits = likeness(learner, features, similarity) / confidence(learner, features)
    found = learner(Batch((images(),), LABELS))
    torch.testing.assert_close(found.parts["cross-entropy"], cross_entropy(logits, LABELS))
    assert found.correct.tolist() == (logits.argmax(1) == LABELS).tolist()


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
def test_the_trained_network_gives_the_likeness_alone(similarity):
    recipe = make_recipe("godin", similarity=similarity)
    learner = toy_learner(recipe).eval()
    expected = likeness(learner, images().flatten(1), similarity).detach()
    answers = recipe.predict(learner, images())
    said = recipe.finish(learner.net, learner.head, learner.extra)
    assert said == ({"head": "normalised"} if similarity == "cosine" else {})
    assert any(isinstance(layer, Normalise) for layer in learner.net.modules()) == (similarity == "cosine")
    torch.testing.assert_close(learner.net(images()), expected)
    assert answers.tolist() == expected.argmax(1).tolist()


def test_of_cosines_neither_length_nor_bias_counts():
    learner = toy_learner(make_recipe("godin")).eval()
    assert learner.head_layer.bias.tolist() == [0, 0, 0]
    assert not learner.head_layer.bias.requires_grad
    recipe = make_recipe("godin")
    recipe.finish(learner.net, learner.head, learner.extra)
    torch.testing.assert_close(learner.net(images(7)), learner.net(images()))
    assert learner.net(images()).abs().max() <= 1


def test_half_precision_does_not_make_cosines_coarse():
    """bfloat16 has 8 bits: cosines made in it would be off by up to 0.004."""
    learner = toy_learner(make_recipe("godin"))
    features = images().flatten(1)
    with torch.autocast("cpu", torch.bfloat16):
        (loss,) = learner(Batch((images(),), LABELS)).parts.values()
    logits = likeness(learner, features, "cosine") / confidence(learner, features)
    torch.testing.assert_close(loss, cross_entropy(logits, LABELS))


def test_an_unknown_similarity_is_refused():
    with pytest.raises(UsageError, match=r"^godin:similarity takes cosine or inner, got 'euclid'$"):
        make_recipe("godin", similarity="euclid")
