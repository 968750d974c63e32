"""Images made elsewhere as a generator: those of a folder, a pair of arrays, or WebDataset shards."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from oodkit.errors import ImageSetError, UnreadableImageError
from oodkit.images import open_images, opening
from oodkit.images.arrays import ArraySet, open_arrays
from oodkit.images.base import ImageSet
from oodkit.synth.base import Generator, ImageClass, Request
from oodkit.synth.classes import numbered_classes

MOST_NUMBERED = 100_000  # every number up to the largest is a class


class Existing(Generator):
    """Images that are there: ``dir:PATH``, ``npy:IMAGES,LABELS`` or ``wds:PATH-OR-URL``. They are copied, in their order.

    ``dir:``: class folders, or a flat folder, whose images have no classes yet. ``npy:``: uint8 (N, H, W, 3) and integers (N,), as
    the sets of SIO's authors are, or floating-point images in [0, 1], which are taken times 255 and rounded; one file alone may be
    an ``.npz`` with both, or images without classes. ``wds:``: shards with a
    ``.cls`` member for each image. Labels without names stand for classes "0", "1" and so on; images with the label −1 are left out
    where others have one.
    Raises ImageSetError where they can't be opened.
    """

    title = "Images made elsewhere"
    seed_scope = "none"

    def __init__(self, spec: str) -> None:
        self.spec, self._images = spec, _opened(spec)
        self.classes = _classes(self._images)
        self.conditional = self.classes is not None
        self.size = _side(self._images)
        self.facts = {"images": len(self._images), "fingerprint": self._images.fingerprint()}
        order = np.argsort(self._images.labels, kind="stable")
        starts = np.searchsorted(self._images.labels[order], np.arange(len(self.classes or ()) + 1))
        self._places = [order[start:end] for start, end in pairwise(starts)] if self.classes else [order]

    def generate(self, requests: Sequence[Request]) -> list[Tensor | UnreadableImageError]:
        """The images as they are stored; in the place of one that can't be read its error, which names it."""
        return [self._image(int(self._of(one.of)[one.index])) for one in requests]

    def available(self, of: ImageClass | None) -> int:
        """How many there are of the class, or in all."""
        return len(self._of(of))

    def _of(self, of: ImageClass | None) -> np.ndarray:
        return self._places[0 if of is None else of.label]

    def _image(self, place: int) -> Tensor | UnreadableImageError:
        try:
            return torch.from_numpy(np.array(self._images.load(place))).permute(2, 0, 1)
        except UnreadableImageError as error:
            return UnreadableImageError(f"{self._images.image_name(place)}: {error}")


def _opened(spec: str) -> ImageSet:
    scheme, _, rest = spec.partition(":")
    if scheme == "wds":
        return open_images(spec)
    with opening(spec):
        return _in_folder(rest, spec) if scheme == "dir" else _in_arrays(rest, spec)


def _in_folder(folder: str, spec: str) -> ImageSet:
    if not Path(folder).is_dir():
        raise ImageSetError(f"no folder {folder!r}, which {spec} names; expected one of class folders, or of images")
    return open_images(Path(folder))


def _in_arrays(files: str, spec: str) -> ImageSet:
    images, comma, labels = files.partition(",")
    if missing := [file for file in ((images, labels) if comma else (images,)) if not Path(file).is_file()]:
        raise ImageSetError(
            f"no file {missing[0]!r}, which {spec} names; expected npy:IMAGES,LABELS, such as npy:images.npy,labels.npy"
        )
    return open_arrays(Path(images), spec, Path(labels) if labels else None)


def _classes(images: ImageSet) -> tuple[ImageClass, ...] | None:
    last = int(images.labels.max(initial=-1))
    if last < 0:
        return None
    if images.class_names is None and last >= MOST_NUMBERED:
        raise ImageSetError(f"{images.spec} holds labels up to {last}; expected numbers of classes, from 0, below {MOST_NUMBERED}")
    return numbered_classes(images.class_names or [str(label) for label in range(last + 1)])


def _side(images: ImageSet) -> int | None:
    """Of arrays, whose images are of one size, the side where they are squares."""
    width, height = images.load(0).size if isinstance(images, ArraySet) else (0, 1)
    return width if width == height else None
