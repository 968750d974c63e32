import pytest
import torch
from torch.nn.functional import cross_entropy

from oodkit.errors import UsageError
from oodkit.training.batch import Batch
from oodkit.training.recipes import make_recipe

from .toy import toy_learner

LABELS = torch.tensor([0, 1, 2, 1])


def _images(scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))


def test_the_loss_is_that_of_features_of_length_one_over_tau() -> None:
    learner = toy_learner(make_recipe("t2fnorm", tau=0.25))
    weight, bias = learner.head_layer.weight, learner.head_layer.bias
    features = _images().flatten(1)
    logits = 4 * (features @ weight.T) / features.square().sum(1, keepdim=True).sqrt() + bias
    found = learner(Batch((_images(),), LABELS))
    torch.testing.assert_close(found.parts["cross-entropy"], cross_entropy(logits, LABELS))
    assert found.correct is not None
    assert found.correct.tolist() == (logits.argmax(1) == LABELS).tolist()


def test_the_length_of_the_features_is_nothing_to_it() -> None:
    learner = toy_learner(make_recipe("t2fnorm"))
    loss, of_longer = (learner(Batch((_images(scale),), LABELS)).parts["cross-entropy"] for scale in (1, 5))
    torch.testing.assert_close(loss, of_longer)


def test_the_trained_network_gives_the_weighted_features_over_tau() -> None:
    """W f / 0.1 = 10 W f; and what it answers is what was counted on validation images."""
    recipe = make_recipe("t2fnorm", tau=0.1)
    learner = toy_learner(recipe)
    features = _images().flatten(1)
    expected = 10 * features @ learner.head_layer.weight.detach().T + learner.head_layer.bias.detach()
    counted = recipe.predict(learner, _images())
    assert recipe.finish(learner.net, learner.head, learner.extra) == {}
    torch.testing.assert_close(learner.net(_images()), expected)
    assert counted.tolist() == expected.argmax(1).tolist()


def test_a_tau_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^recipe t2fnorm needs a tau above 0, got tau=-1.0$"):
        make_recipe("t2fnorm", tau=-1)
