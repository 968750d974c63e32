"""Mixed images: pairs of images of a set blended, as mixup does."""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from oodkit.errors import ImageSetError, InputError, UnreadableImageError, UsageError
from oodkit.images.base import ImageSet, require_seed
from oodkit.images.limited import limited

LAMBDAS = (0.1, 0.2, 0.3, 0.4, 0.5)
MOST = 1000  # mixed images for each λ: the figures hold to a few points, and it costs little beside the sets themselves


class MixedSet(ImageSet):
    """(1 − λ) · one image + λ · another, for pairs of images of ``whole`` (mixup: Zhang et al., arXiv:1710.09412, equation 1).

    The pairs are drawn by ``seed`` whatever the classes, and are the same for every λ. No image is in two of them: mixed images
    that share one are less evidence than they seem, and intervals would be too narrow. So n images give n // 2 mixed ones.

    What is mixed are the tensors that the transform makes, so the images may differ in size. lam: λ, above 0 and at most ½.
    pairs: (n, 2) positions in ``whole``, ascending in the first.

    Raises UsageError for another λ and a seed below 0, ImageSetError without two images.
    """

    def __init__(self, whole: ImageSet, lam: float, seed: int = 0) -> None:
        if not 0 < lam <= 0.5:
            raise UsageError(f"a mixed image takes a share of its partner above 0 and at most 0.5, got {lam:g}")
        if len(whole) < 2:
            raise ImageSetError(f"mixing needs two images or more; {whole.spec} has {len(whole)}")
        require_seed(seed)
        half = len(whole) // 2
        drawn = np.random.default_rng(seed).permutation(len(whole))[: 2 * half].reshape(2, half).T
        self.pairs = drawn[drawn[:, 0].argsort()]
        self.spec, self.labels = f"{whole.spec} mixed at {lam:g}", np.full(half, -1)
        self._whole, self._lam = whole, lam

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
        return " + ".join(self._whole.image_name(int(one)) for one in self.pairs[index])

    def fingerprint(self) -> str:
        known = f"{self._whole.fingerprint()} {self._lam!r}".encode()
        return hashlib.blake2b(known + self.pairs.tobytes(), digest_size=16).hexdigest()

    def _pair(self, index: int) -> list[Image.Image]:
        return [self._loaded(int(one)) for one in self.pairs[index]]

    def _loaded(self, one: int) -> Image.Image:
        try:
            return self._whole.load(one)
        except UnreadableImageError as error:
            raise UnreadableImageError(f"{self._whole.image_name(one)}: {error}") from error


def mixed_sets(images: ImageSet, *, seed: int = 0, limit: int = MOST) -> dict[float, ImageSet]:
    """By λ at most ``limit`` mixed images of a set, evenly spread over it, the same pairs for every λ: see ``MixedSet``."""
    return {lam: limited(MixedSet(images, lam, seed), limit) for lam in LAMBDAS}
