"""The contract of an image set: a length, raw labels, and images by position."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from PIL import Image
from torch import Tensor

from oodkit.errors import ImageSetError, UsageError
from oodkit.images.decode import Source

MOST_CLASSES = 1_000_000  # beyond that a label is no number of a class, and nothing could be made for each


class ImageSet(ABC):
    """Images by position, decoded only when asked for.

    spec: how the user spelled it. labels: (N,) int64, the set's own class index of each image, −1 = none. class_names: what
    those indices mean (class folders, a data set's own names), None where the set does not say.
    """

    spec: str
    labels: np.ndarray
    class_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def load(self, index: int) -> Image.Image:
        """The image in RGB, upright. Raises UnreadableImageError with the reason where it can't be decoded."""

    def transformed(self, index: int, transform: Callable[[Image.Image], Tensor]) -> Tensor:
        """What a network with this transform gets of the image; raises what ``load`` and the transform do."""
        return transform(self.load(index))

    def source(self, index: int) -> Source | None:
        """What the image is decoded from, its file or a stream of its bytes; None where the set holds pixels."""
        return None

    def stored_size(self, index: int) -> int:
        """The bytes of ``source``, where there is one, without reading them; −1 where it can't be had."""
        return -1

    @abstractmethod
    def image_name(self, index: int) -> str:
        """What a person would look for: the path below the set's folder, or the position."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash that changes with an image's place or label and, as far as its size and time of change tell, with the image.

        Cheap beside reading the images, and the same on every machine that has a copy of them at the same place.
        """


def require_seed(seed: int) -> None:
    """Raise UsageError for a seed below 0, which NumPy's generators do not take."""
    if seed < 0:
        raise UsageError(f"seed must be 0 or more, got {seed}")


def checked_labels(labels: np.ndarray, count: int, spec: str) -> np.ndarray:
    """Stored labels as a set of ``count`` images has them, int64.

    Raises ImageSetError for anything but integers (count,) from −1 to ``MOST_CLASSES`` − 1.
    """
    are_integers = labels.shape == (count,) and labels.dtype.kind in "iu"
    smallest, largest = (int(labels.min()), int(labels.max())) if are_integers and count else (-1, -1)
    if not are_integers or smallest < -1:
        got = f"down to {smallest}" if are_integers else f"{labels.dtype} {labels.shape}"
        raise ImageSetError(f"{spec} holds labels {got}; expected integers ({count},), one per image, −1 = none of the classes")
    if largest >= MOST_CLASSES:
        expected = f"expected numbers of classes, counted from 0, below {MOST_CLASSES}"
        raise ImageSetError(f"{spec} holds labels up to {largest}; {expected}")
    return labels.astype(np.int64)
