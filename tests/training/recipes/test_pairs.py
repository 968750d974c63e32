"""Images mixed in pairs: torchvision's own mixing, whose λ is known, and cross-entropy on both labels."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot
from torchvision.transforms import v2

from oodkit.training.recipes import pairs

IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 3, 2, 1, 0, 2])
LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("mix", "whole"), [(pairs.mixup, v2.MixUp), (pairs.cutmix, v2.CutMix)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(5))
def test_images_and_loss_are_those_of_torchvision_s_transform_with_soft_labels(mix, whole, smoothing, seed):
    torch.manual_seed(seed)
    mixed = mix(IMAGES, LABELS, 0.7)
    torch.manual_seed(seed)
    images, targets = whole(alpha=0.7, num_classes=4)(IMAGES, LABELS)
    torch.testing.assert_close(mixed.images, images)
    torch.testing.assert_close(mixed.share * one_hot(LABELS, 4) + (1 - mixed.share) * one_hot(mixed.others, 4), targets)
    torch.testing.assert_close(mixed.cross_entropy(LOGITS, smoothing), cross_entropy(LOGITS, targets, label_smoothing=smoothing))


def test_the_loss_by_hand():
    """Logits (log 3, 0): −log softmax = (log 4/3, log 4). A quarter of class 0 and three of class 1: ¼ log 4/3 + ¾ log 4."""
    mixed = pairs.Mixed(torch.zeros(1, 3, 2, 2), torch.tensor([0]), torch.tensor([1]), 0.25)
    loss = mixed.cross_entropy(torch.tensor([[math.log(3), 0.0]]))
    assert loss.item() == pytest.approx(0.25 * math.log(4 / 3) + 0.75 * math.log(4))


@pytest.mark.parametrize(("share", "right"), [(0.7, [True, False]), (0.5, [True, False]), (0.3, [False, True])])
def test_right_is_the_class_with_the_larger_share(share, right):
    mixed = pairs.Mixed(IMAGES[:2], torch.tensor([0, 1]), torch.tensor([1, 0]), share)
    assert mixed.correct(torch.tensor([[1.0, 0.0], [1.0, 0.0]])).tolist() == right


@pytest.mark.parametrize("mix", [pairs.mixup, pairs.cutmix])
def test_the_images_given_stay_as_they_are_and_an_image_alone_is_mixed_with_itself(mix):
    before = IMAGES.clone()
    mix(IMAGES, LABELS, 1.0)
    torch.testing.assert_close(IMAGES, before)
    torch.testing.assert_close(mix(IMAGES[:1], LABELS[:1], 1.0).images, IMAGES[:1])


def test_what_is_drawn_follows_torch_s_seed_and_nothing_else():
    shares = []
    for _ in range(2):
        torch.manual_seed(3)
        shares.append(pairs.mixup(IMAGES, LABELS, 0.2).share)
    assert shares[0] == shares[1] != pairs.mixup(IMAGES, LABELS, 0.2).share
