"""The contract of an image set: a length, raw labels, and images by position."""

from abc import ABC, abstractmethod

import numpy as np
from PIL import Image


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

    @abstractmethod
    def image_name(self, index: int) -> str:
        """What a person would look for: the path below the set's folder, or the position."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash that changes whenever an image, its place or its label may have changed; cheap beside reading the images."""
