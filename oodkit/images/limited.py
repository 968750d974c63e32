"""A part of an image set."""

import hashlib
from collections.abc import Callable

import numpy as np
from PIL import Image
from torch import Tensor

from oodkit.errors import UsageError
from oodkit.images.base import ImageSet
from oodkit.images.decode import Source
from oodkit.images.files import FileSet


class LimitedSet(ImageSet):
    """The images of ``whole`` at ``indices``."""

    def __init__(self, whole: ImageSet, indices: np.ndarray) -> None:
        self.spec, self.class_names, self.labels = whole.spec, whole.class_names, whole.labels[indices]
        self._whole, self._indices = whole, indices

    def load(self, index: int) -> Image.Image:
        return self._whole.load(int(self._indices[index]))

    def transformed(self, index: int, transform: Callable[[Image.Image], Tensor]) -> Tensor:
        return self._whole.transformed(int(self._indices[index]), transform)

    def source(self, index: int) -> Source | None:
        return self._whole.source(int(self._indices[index]))

    def stored_size(self, index: int) -> int:
        return self._whole.stored_size(int(self._indices[index]))

    def image_name(self, index: int) -> str:
        return self._whole.image_name(int(self._indices[index]))

    def fingerprint(self) -> str:
        return hashlib.blake2b(self._whole.fingerprint().encode() + self._indices.tobytes(), digest_size=16).hexdigest()


def limited(images: ImageSet, limit: int) -> ImageSet:
    """``limit`` images, one drawn from each of as many equal stretches, always the same; all where there are no more than that.

    Sorted classes keep their shares, and classes that take turns do too, of which every n-th image would be of one class.
    """
    if limit < 1:
        raise UsageError(f"limit must be 1 or more, got {limit}")
    if limit >= len(images):
        return images
    edges = np.arange(limit + 1) * len(images) // limit
    indices = np.random.default_rng(0).integers(edges[:-1], edges[1:])
    return taken(images, indices)


def taken(images: ImageSet, indices: np.ndarray) -> ImageSet:
    """The images at ``indices``. Of a file set a file set: its fingerprint looks at its own files and not at all the others."""
    return images.take(indices) if isinstance(images, FileSet) else LimitedSet(images, indices)
