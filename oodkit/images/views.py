"""Random views of the images of a set: what a network sees of an image in training, crop and flip, once for each view."""

import hashlib
import math

import numpy as np
from PIL import Image, ImageOps

from oodkit.errors import UsageError
from oodkit.images.base import ImageSet, require_seed

VERSION = 1  # of how a view is drawn; part of the fingerprint, so that outputs of views drawn otherwise are not taken for these
SMALL = 64  # pixels: images no larger are cropped from a border around them, as CIFAR's are in training
PADDING = 1 / 8  # of a small image's side, on every side: CIFAR's 4 of 32
AREA = (0.08, 1.0)  # of the image, and the range of width over height: torchvision's RandomResizedCrop
RATIO = (3 / 4, 4 / 3)
TRIES = 10


class ViewSet(ImageSet):
    """``views`` random views of each image of ``whole``: position i is of image i // views, and has its label.

    A view is a crop as training draws it, and in half of the cases its mirror image; then comes the model's transform, as of any
    image. Of an image larger than 64 pixels the crop has 8 to 100 % of the area, its width and height in a ratio of 3/4 to 4/3, and
    is made a square (torchvision's ``RandomResizedCrop``; Szegedy et al., arXiv:1409.4842, section 6); a smaller one is padded with
    black by an eighth of its sides and cropped to its size (He et al., arXiv:1512.03385, section 4.2).

    Which view it is depends on ``seed``, 0 or more, and the position alone, whichever process draws it. Raises UsageError for
    less than one view and another seed.
    """

    def __init__(self, whole: ImageSet, views: int, seed: int = 0) -> None:
        if views < 1:
            raise UsageError(f"views must be 1 or more, got {views}")
        require_seed(seed)
        self.spec, self.class_names, self.labels = whole.spec, whole.class_names, np.repeat(whole.labels, views)
        self._whole, self._views, self._seed = whole, views, seed

    def load(self, index: int) -> Image.Image:
        return _view(self._whole.load(index // self._views), np.random.default_rng([self._seed, index]))

    def image_name(self, index: int) -> str:
        return f"{self._whole.image_name(index // self._views)} (view {index % self._views + 1})"

    def fingerprint(self) -> str:
        known = f"views {VERSION} {self._views} {self._seed} {self._whole.fingerprint()}"
        return hashlib.blake2b(known.encode(), digest_size=16).hexdigest()


def _view(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    view = _from_a_border(image, rng) if max(image.size) <= SMALL else _resized_crop(image, rng)
    return ImageOps.mirror(view) if rng.random() < 0.5 else view


def _from_a_border(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    left, top = (int(rng.integers(-border, border, endpoint=True)) for border in (round(side * PADDING) for side in image.size))
    return image.crop((left, top, left + image.width, top + image.height))  # what lies outside is black


def _resized_crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    width, height = _drawn_size(image, rng)
    left, top = rng.integers(image.width - width, endpoint=True), rng.integers(image.height - height, endpoint=True)
    side = max(width, height)
    return image.resize((side, side), Image.Resampling.BILINEAR, (int(left), int(top), int(left + width), int(top + height)))


def _drawn_size(image: Image.Image, rng: np.random.Generator) -> tuple[int, int]:
    """Of the crop. Where none of ten fits, as in a banner, the largest whose ratio is within the range."""
    for _ in range(TRIES):
        area = image.width * image.height * rng.uniform(*AREA)
        ratio = math.exp(rng.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < width <= image.width and 0 < height <= image.height:
            return width, height
    return max(1, min(image.width, round(image.height * RATIO[1]))), max(1, min(image.height, round(image.width / RATIO[0])))
