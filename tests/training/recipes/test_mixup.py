"""mixup and CutMix as recipes: the mixed batch alone is learned from."""

import pytest
import torch

from oodkit.errors import UsageError
from oodkit.training.batch import Batch
from oodkit.training.recipes import make_recipe, pairs

from .toy import toy_learner

IMAGES = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 1])


@pytest.mark.parametrize(("name", "mix", "alpha"), [("mixup", pairs.mixup, 0.2), ("cutmix", pairs.cutmix, 1.0)])
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_that_of_the_mixed_batch(name, mix, alpha, seed):
    learner = toy_learner(make_recipe(name))
    torch.manual_seed(seed)
    found = learner(Batch((IMAGES,), LABELS))
    torch.manual_seed(seed)
    mixed = mix(IMAGES, LABELS, alpha)
    logits = learner.logits(mixed.images)
    assert set(found.parts) == {"cross-entropy"}
    torch.testing.assert_close(found.parts["cross-entropy"], mixed.cross_entropy(logits))
    assert found.correct.tolist() == mixed.correct(logits).tolist()


def test_linear_logits_of_a_mixed_image_are_mixed_logits():
    """On a linear network F(λ x + (1 − λ) x′) = λ F(x) + (1 − λ) F(x′), which ties images and shares together."""
    learner = toy_learner(make_recipe("mixup"))
    mixed = pairs.mixup(IMAGES, LABELS, 1.0)
    plain = learner.logits(IMAGES)
    torch.testing.assert_close(learner.logits(mixed.images), mixed.share * plain + (1 - mixed.share) * plain.roll(1, 0))


def test_smoothed_labels_of_mixed_images():
    """−(0.8 y_mix + 0.2/C)ᵀ log softmax(v), with the targets written out."""
    learner = toy_learner(make_recipe("mixup", beta=0.2))
    torch.manual_seed(1)
    found = learner(Batch((IMAGES,), LABELS))
    torch.manual_seed(1)
    mixed = pairs.mixup(IMAGES, LABELS, 0.2)
    logs = learner.logits(mixed.images).log_softmax(1)
    classes = logs.shape[1]
    hot = torch.nn.functional.one_hot
    targets = mixed.share * hot(LABELS, classes) + (1 - mixed.share) * hot(LABELS.roll(1), classes)
    expected = -((0.8 * targets + 0.2 / classes) * logs).sum(1).mean()
    torch.testing.assert_close(found.parts["cross-entropy"], expected)


def test_their_strengths_are_among_the_facts_of_the_checkpoint():
    assert make_recipe("mixup", alpha=0.4).facts() == {"loss": "ce", "label_smoothing": 0.0, "mixup": 0.4, "cutmix": 0.0}
    assert make_recipe("mixup", beta=0.1).facts()["label_smoothing"] == 0.1
    assert make_recipe("cutmix").facts() == {"loss": "ce", "label_smoothing": 0.0, "mixup": 0.0, "cutmix": 1.0}


@pytest.mark.parametrize("name", ["mixup", "cutmix", "regmixup"])
def test_an_alpha_of_nothing_is_refused(name):
    with pytest.raises(UsageError, match=f"^recipe {name} needs an alpha above 0, got alpha=0.0"):
        make_recipe(name, alpha=0)
