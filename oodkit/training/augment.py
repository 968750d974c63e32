"""What a training image becomes before the network sees it: crop, flip, and the views of a recipe."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from oodkit.training.recipes.base import View
from oodkit.training.settings import SMALL

PADDING = 8  # the part of a small image's side that is padded on every side: CIFAR's 4 of 32
LONGEST = 64  # times its shorter side: what lies beyond, of a line a mile long, would be enlarged for nothing, and fill the memory


@dataclass(frozen=True)
class TrainTransform:
    """A PIL image to tensors (3, side, side) float32, one for each view, after a crop and a flip that all views share.

    mean, std: of the three channels of pixels in [0, 1], which normalise. shift: False leaves out the random crop: the centre is
    shown, whole, reduced by Lanczos' kernel as EDM has it, for a network that is to make such images. What is random comes from the
    generators of torch, ``random`` and NumPy, which ``seed_generators`` sets. It pickles where the views do.
    """

    side: int
    flip: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    views: tuple[View, ...] = (View(),)
    shift: bool = True

    def __call__(self, image: Image.Image) -> tuple[Tensor, ...]:
        shown = self._crop(image)
        return tuple(self._view(shown, view) for view in self.views)

    def _view(self, image: Image.Image, view: View) -> Tensor:
        for change in view.on_image:
            image = change(image)
        tensor = torch.from_numpy(self._normalised(np.asarray(image)))
        for change in view.on_tensor:
            tensor = change(tensor)
        return tensor

    @cached_property
    def _crop(self) -> Callable[[Image.Image], Image.Image]:
        return crop_and_flip(self.side, self.flip) if self.shift else _Centred(self.side, self.flip)

    def _normalised(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, 3) of 0 to 255 to (3, H, W) float32, in the two passes over the pixels that are the least."""
        scale, shift = self._scale_and_shift
        scaled: np.ndarray = np.multiply(pixels.transpose(2, 0, 1), scale, order="C", dtype=np.float32)
        scaled += shift
        return scaled

    @cached_property
    def _scale_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        mean, std = (np.reshape(numbers, (3, 1, 1)) for numbers in (self.mean, self.std))
        return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)


def crop_and_flip(side: int, flip: bool = True) -> Callable[[Image.Image], Image.Image]:
    """How OpenOOD v1.5 augments training images (``BasePreprocessor``), PIL to PIL of ``side`` by ``side`` pixels.

    Up to 64 pixels, as for CIFAR: the shorter side resized to ``side``, bilinear, and the centre cropped; mirrored in half of the
    cases; padded with black by an eighth of the side (CIFAR's 4 of 32) and cropped at random. Larger, as for ImageNet:
    torchvision's ``RandomResizedCrop``, 8 to 100 % of the area, bilinear, and mirrored in half of the cases. flip: False mirrors
    none, for digits and letters.
    """
    return _BorderCrop(side, flip) if side <= SMALL else _ResizedCrop(side, flip)


@dataclass(frozen=True)
class _Centred:
    side: int
    flip: bool

    def __call__(self, image: Image.Image) -> Image.Image:
        return _mirrored_at_random(_centre(image, self.side, Image.Resampling.LANCZOS), self.flip)


@dataclass(frozen=True)
class _BorderCrop:
    side: int
    flip: bool

    def __call__(self, image: Image.Image) -> Image.Image:
        image = _mirrored_at_random(_centre(image, self.side), self.flip)
        border = self.side // PADDING
        left, top = torch.randint(-border, border + 1, (2,)).tolist()
        return image.crop((left, top, left + self.side, top + self.side))  # what lies outside is black


@dataclass(frozen=True)
class _ResizedCrop:
    side: int
    flip: bool

    def __call__(self, image: Image.Image) -> Image.Image:
        return _mirrored_at_random(self._crop(image), self.flip)

    @cached_property
    def _crop(self) -> Callable[[Image.Image], Image.Image]:
        from torchvision.transforms import v2

        crop: Callable[[Image.Image], Image.Image] = v2.RandomResizedCrop(self.side)
        return crop


def _centre(image: Image.Image, side: int, kernel: Image.Resampling = Image.Resampling.BILINEAR) -> Image.Image:
    """The shorter side made ``side``, then the square in the middle: torchvision's ``Resize`` and ``CenterCrop``."""
    if image.size == (side, side):
        return image
    shorter, longer = sorted(image.size)
    if longer > LONGEST * shorter:
        image, longer = _middle(image, *(min(length, LONGEST * shorter) for length in image.size)), LONGEST * shorter
    length = int(side * longer / shorter)
    size = (side, length) if image.width <= image.height else (length, side)
    return _middle(image.resize(size, kernel), side, side)


def _middle(image: Image.Image, width: int, height: int) -> Image.Image:
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def _mirrored_at_random(image: Image.Image, flip: bool) -> Image.Image:
    return ImageOps.mirror(image) if flip and float(torch.rand(())) < 0.5 else image


def seed_generators(seed: int) -> None:
    """Seed what transforms draw from, in this process: torch's default generator of the CPU, ``random`` and NumPy's."""
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002  # transforms of others use it


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """While open, first weights are those of the seed; afterwards the generator is as before. Those of GPUs are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def seeded_generators(device: torch.device, seed: int) -> Iterator[None]:
    """While open, the generators of the CPU are seeded; afterwards they, and that of the device, are as before."""
    with kept_generators(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        seed_generators(seed)
        yield


@contextmanager
def kept_generators() -> Iterator[None]:
    """The same generators are afterwards as they were before."""
    states = torch.random.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        torch.random.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])  # noqa: NPY002
