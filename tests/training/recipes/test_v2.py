"""torchvision's second recipe: every piece of it, in its order, and each can be left out."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from torchvision.transforms import v2 as transforms

from oodkit.errors import UsageError
from oodkit.training.batch import Batch
from oodkit.training.recipes import make_recipe, pairs
from oodkit.training.settings import Settings

from .toy import given_logits, toy_learner

IMAGES = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 1])


def test_pictures_get_trivial_augment_and_tensors_erasing():
    (view,) = make_recipe("v2", p=0.3).views(32)
    (augment,), (erase,) = view.on_image, view.on_tensor
    assert isinstance(augment, transforms.TrivialAugmentWide)
    assert isinstance(erase, transforms.RandomErasing)
    assert erase.p == 0.3
    assert augment(Image.fromarray(np.zeros((32, 32, 3), dtype=np.uint8))).size == (32, 32)


@pytest.mark.parametrize(
    ("settings", "ways"),
    [
        ({}, [(pairs.mixup, 0.2), (pairs.cutmix, 1.0)]),
        ({"mixup": 0}, [(pairs.cutmix, 1.0)]),
        ({"cutmix": 0}, [(pairs.mixup, 0.2)]),
    ],
)
def test_a_batch_is_mixed_in_one_of_the_ways_and_its_labels_are_smoothed(settings, ways):
    learner = toy_learner(make_recipe("v2", **settings))
    taken = set()
    for seed in range(12):
        torch.manual_seed(seed)
        loss = learner(Batch((IMAGES,), LABELS)).parts["cross-entropy"]
        torch.manual_seed(seed)
        way = int(torch.randint(len(ways), ()))
        mix, alpha = ways[way]
        mixed = mix(IMAGES, LABELS, alpha)
        torch.testing.assert_close(loss, mixed.cross_entropy(learner.logits(mixed.images), 0.1))
        taken.add(way)
    assert taken == set(range(len(ways)))


def test_with_everything_left_out_the_loss_is_v1_s():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    found = given_logits(make_recipe("v2", beta=0, mixup=0, cutmix=0, p=0), 3)(Batch((logits,), LABELS))
    torch.testing.assert_close(found.parts["cross-entropy"], cross_entropy(logits, LABELS))
    assert found.correct.tolist() == (logits.argmax(1) == LABELS).tolist()


def test_it_is_trained_with_torchvision_s_numbers_unless_told_otherwise():
    settings = Settings(**make_recipe("v2").trained_with)
    assert (settings.weight_decay, settings.norm_weight_decay, settings.warmup, settings.repeats) == (2e-5, 0, 5, 4)
    assert settings.ema


def test_its_strengths_are_among_the_facts_of_the_checkpoint():
    assert make_recipe("v2", cutmix=0).facts() == {"loss": "ce", "label_smoothing": 0.1, "mixup": 0.2, "cutmix": 0.0}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"beta": 1}, "a beta of at least 0"), ({"mixup": -1}, "a mixup and a cutmix of at least 0"), ({"p": 2}, "a p from 0 to 1")],
)
def test_settings_out_of_range_are_refused(settings, expected):
    with pytest.raises(UsageError, match=f"recipe v2 needs {expected}"):
        make_recipe("v2", **settings)
