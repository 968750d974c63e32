"""Mixed images: each image of a set blended with another of it, as mixup does."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from oodkit.errors import ImageSetError, InputError, UnreadableImageError, UsageError
from oodkit.images.base import ImageSet
from oodkit.images.limited import limited

LAMBDAS = (0.1, 0.2, 0.3, 0.4, 0.5)
MOST = 1000  # mixed images for each λ: the figures hold to a few points, and it costs little beside the sets themselves


class MixedSet(ImageSet):
    """(1 − λ) · image + λ · its partner, for each image of ``whole`` (mixup: Zhang et al., arXiv:1710.09412, equation 1).

    The partners follow one random circle through all images, whatever their classes, drawn by ``seed`` and the same for every λ.
    So no image meets itself, and of three images or more no two meet twice, which at λ = ½ would be the same image again.

    What is mixed are the tensors that the transform makes, so the images may differ in size. lam: λ, above 0 and at most ½.
    Raises UsageError for another λ, ImageSetError where there are not two images.
    """

    def __init__(self, whole: ImageSet, lam: float, seed: int = 0) -> None:
        if not 0 < lam <= 0.5:
            raise UsageError(f"a mixed image takes a share of its partner above 0 and at most 0.5, got {lam:g}")
        if len(whole) < 2:
            raise ImageSetError(f"mixing needs two images or more; {whole.spec} has {len(whole)}")
        self.spec, self.labels = f"{whole.spec} mixed at {lam:g}", np.full(len(whole), -1)
        self._whole, self._lam = whole, lam
        circle = np.random.default_rng(seed).permutation(len(whole))
        self.partners = np.empty_like(circle)
        self.partners[circle] = np.roll(circle, -1)

    def load(self, index: int) -> Image.Image:
        """The mixed image for the eye, in the size of the first; the network gets ``transformed``."""
        first, second = self._pair(index)
        return Image.blend(first, second.resize(first.size), self._lam)

    def transformed(self, index: int, transform: Callable[[Image.Image], Tensor]) -> Tensor:
        first, second = (transform(image) for image in self._pair(index))
        if first.shape != second.shape:
            sizes = f"{tuple(first.shape)} and {tuple(second.shape)}"
            raise InputError(f"the transform makes images of different sizes, {sizes}, that can't be mixed; make it crop")
        return torch.lerp(first, second, self._lam)

    def image_name(self, index: int) -> str:
        return f"{self._whole.image_name(index)} + {self._whole.image_name(int(self.partners[index]))}"

    def fingerprint(self) -> str:
        known = f"{self._whole.fingerprint()} {self._lam!r}".encode()
        return hashlib.blake2b(known + self.partners.tobytes(), digest_size=16).hexdigest()

    def _pair(self, index: int) -> tuple[Image.Image, Image.Image]:
        first, partner = self._whole.load(index), int(self.partners[index])
        try:
            return first, self._whole.load(partner)
        except UnreadableImageError as error:
            raise UnreadableImageError(f"its partner, {self._whole.image_name(partner)}: {error}") from error


def mixed_sets(images: ImageSet, *, seed: int = 0, lambdas: Sequence[float] = LAMBDAS, limit: int = MOST) -> dict[float, ImageSet]:
    """By λ at most ``limit`` mixed images of a set, evenly spread over it, of the same pairs for every λ; see ``MixedSet``."""
    return {lam: limited(MixedSet(images, lam, seed), limit) for lam in lambdas}
