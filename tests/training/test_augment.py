"""What a training image becomes, against torchvision's transforms in the order of OpenOOD v1.5."""

import pickle
import random

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from oodkit.training.augment import TrainTransform, crop_and_flip, kept_generators, seed_generators
from oodkit.training.recipes.base import View

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def picture(width=32, height=32, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def shown(change, image, draws):
    """The different images that a random change makes."""
    seed_generators(0)
    return {change(image).tobytes() for _ in range(draws)}


@pytest.mark.parametrize("flip", [True, False])
def test_a_small_image_is_mirrored_padded_with_black_and_cropped_as_cifar_is(flip):
    """OpenOOD: RandomHorizontalFlip, then RandomCrop(32, padding=4): 9 · 9 places, of the image and of its mirror image."""
    image = picture()
    whole = [image, functional.horizontal_flip(image)] if flip else [image]
    padded = [functional.pad(one, [4]) for one in whole]
    expected = {functional.crop(one, top, left, 32, 32).tobytes() for one in padded for top in range(9) for left in range(9)}
    assert shown(crop_and_flip(32, flip), image, 3000) == expected


@pytest.mark.parametrize("size", [(32, 32), (64, 48), (40, 90), (299, 224), (20, 31), (7, 5), (33, 32), (1, 40)])
@pytest.mark.parametrize("side", [32, 28])
def test_an_image_of_another_size_is_resized_by_its_shorter_side_and_cropped_in_the_middle(size, side):
    """OpenOOD: Resize(side, bilinear), CenterCrop(side), then the flip and the crop; here the one that changes nothing."""
    image = picture(*size)
    centre = v2.Compose([v2.Resize(side, v2.InterpolationMode.BILINEAR), v2.CenterCrop(side)])(image)
    assert centre.tobytes() in shown(crop_and_flip(side), image, 2000)


def test_a_line_a_mile_long_is_cropped_before_it_is_enlarged(monkeypatch):
    """Whole it would be 3 GB; what is seen of it is its middle."""
    line = Image.new("RGB", (1, 1_000_000))
    line.paste((255, 255, 255), (0, 499_990, 1, 500_010))
    made, resize = [], Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda image, size, *how: [made.append(size), resize(image, size, *how)][1])
    seed_generators(0)
    pixels = np.asarray(crop_and_flip(32)(line))
    assert made == [(32, 32 * 64)]
    assert pixels.shape == (32, 32, 3)
    assert pixels[4:-4, 4:-4].min() == 255


@pytest.mark.parametrize("size", [(96, 96), (299, 224), (50, 400), (60, 60)])
def test_a_larger_side_is_torchvisions_random_resized_crop_and_flip(size):
    """OpenOOD for ImageNet: RandomResizedCrop(side, bilinear), RandomHorizontalFlip(0.5)."""
    image, ours = picture(*size), crop_and_flip(96)
    theirs = v2.Compose([v2.RandomResizedCrop(96, interpolation=v2.InterpolationMode.BILINEAR), v2.RandomHorizontalFlip(0.5)])
    for seed in range(20):
        seed_generators(seed)
        expected = theirs(image)
        seed_generators(seed)
        assert ours(image).tobytes() == expected.tobytes()


def test_without_flip_nothing_is_mirrored():
    """A picture that is bright to the left stays so."""
    image = Image.fromarray(np.repeat(np.linspace(255, 0, 96, dtype=np.uint8)[None, :, None], 96, 0).repeat(3, 2))
    for flip, expected in ((False, {True}), (True, {True, False})):
        seed_generators(0)
        crops = [np.asarray(crop_and_flip(96, flip)(image)).astype(int) for _ in range(40)]
        assert {bool(crop[:, :10].mean() > crop[:, -10:].mean()) for crop in crops} == expected


def test_pixels_are_normalised_as_torchvision_does():
    image = picture()
    theirs = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    transform = TrainTransform(32, False, MEAN, STD, (View(on_image=(lambda _: image,)),))
    (tensor,) = transform(image)
    assert (tensor.dtype, tensor.shape, tensor.is_contiguous()) == (torch.float32, (3, 32, 32), True)
    assert torch.allclose(tensor, theirs(image), atol=2e-6)


def test_all_views_share_the_crop_and_go_their_own_ways_from_there():
    """What is done to the image comes before normalisation, what is done to the tensor after it, each in order."""
    invert, clip = View(on_image=(v2.functional.invert,)), View(on_tensor=(torch.neg, lambda tensor: tensor.clamp(min=0)))
    seed_generators(3)
    plain, inverted, clipped = TrainTransform(32, True, (0.5,) * 3, (0.25,) * 3, (View(), invert, clip))(picture())
    assert torch.allclose(inverted, -plain, atol=1e-6)
    assert torch.equal(clipped, (-plain).clamp(min=0))


def test_the_same_seed_shows_the_same_whatever_the_transforms_draw_from():
    """torch's generator, random's and NumPy's, on which the transforms of others rely."""
    noise = (
        lambda tensor: tensor + torch.rand(()),
        lambda tensor: tensor + random.random(),
        lambda tensor: tensor + np.random.rand(),  # noqa: NPY002
    )
    transform = TrainTransform(32, True, MEAN, STD, (View(on_tensor=noise),))
    tensors = []
    for seed in (2**63 - 1, 1, 2**63 - 1):
        seed_generators(seed)
        tensors.append(transform(picture())[0])
    assert torch.equal(tensors[0], tensors[2])
    assert not torch.equal(tensors[0], tensors[1])


def test_a_callers_generators_are_as_they_were():
    def drawn():
        return float(torch.rand(())), random.random(), float(np.random.rand())  # noqa: NPY002

    seed_generators(5)
    expected = drawn()
    seed_generators(5)
    with kept_generators():
        seed_generators(6)
        drawn()
    assert drawn() == expected


@pytest.mark.parametrize("side", [32, 96])
def test_it_pickles_before_and_after_it_was_used(side):
    transform = TrainTransform(side, True, MEAN, STD, (View(on_image=(v2.TrivialAugmentWide(),)),))
    for _ in range(2):
        seed_generators(1)
        (expected,) = transform(picture(100, 80))
        again = pickle.loads(pickle.dumps(transform))
        seed_generators(1)
        assert torch.equal(again(picture(100, 80))[0], expected)
