"""The images that training draws from, with labels in the class order that is trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.images.limited import taken
from oodkit.wording import counted, printable


@dataclass(frozen=True)
class Pool:
    """Images of one source and the label of each, (N,) int64; −1 for outliers."""

    images: ImageSet
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def real_pool(images: ImageSet, labels: np.ndarray | None = None) -> Pool:
    """The images to train on. labels: in the class order that is trained, None = the set's own.

    Raises ImageSetError where an image has none of the classes (−1).
    """
    labels = images.labels if labels is None else labels
    if unlabelled := int((labels < 0).sum()):
        example = images.image_name(int((labels < 0).argmax()))
        of_all = f"{counted(unlabelled, 'image has', 'images have')} none, such as {printable(example)}"
        way_out = "name a set with labels, such as a folder of class folders"
        raise ImageSetError(f"training needs a label for each image: of the {len(labels)} of {images.spec} {of_all}; {way_out}")
    return Pool(images, labels.astype(np.int64))


def outlier_pool(images: ImageSet) -> Pool:
    """Images that belong to no class, whatever their labels."""
    return Pool(images, np.full(len(images), -1))


def trained_labels(
    images: ImageSet, class_names: Sequence[str] | None, num_classes: int, class_ids: Sequence[str] | None = None
) -> tuple[np.ndarray, str | None]:
    """``align_labels`` with the classes that are trained, but names never go by their order.

    Raises ImageSetError where both sides have names and share none, or a label without a name is too large.
    """
    named = class_names or class_ids
    labels, note = align_labels(images, class_names, class_ids, num_classes, "the training images'", by_order=not named)
    if named and images.class_names is not None and note is None and (images.labels >= 0).any() and not (labels >= 0).any():
        here, there = (printable(repr(names[0])) for names in (images.class_names, named))
        way_out = "name its class folders as those of the training images"
        raise ImageSetError(f"no class of {images.spec} is one of the training images': {here} here, {there} there; {way_out}")
    return labels, note


def synthetic_pool(
    images: ImageSet, class_names: Sequence[str] | None, num_classes: int, class_ids: Sequence[str] | None = None
) -> tuple[Pool, list[str]]:
    """Synthetic images in the order of the real classes, and a line for whatever does not fit.

    class_names, class_ids: of the real images, matched as ``trained_labels`` does. Images of other classes are left out; classes
    without synthetic images are named. Raises ImageSetError as it does, and where no image is left.
    """
    labels, note = trained_labels(images, class_names, num_classes, class_ids)
    notes = [] if note is None else [note]
    kept = np.flatnonzero(labels >= 0)
    if not len(kept):
        way_out = "name its class folders as those of the training images"
        raise ImageSetError(f"no image of {images.spec} is of a class that is trained; {way_out}")
    if left_out := len(labels) - len(kept):
        notes.append(f"{images.spec}: {counted(left_out, 'image', 'images')} of no class that is trained left out")
    missing = np.flatnonzero(np.bincount(labels[kept], minlength=num_classes) == 0)
    if len(missing):
        first = int(missing[0]) if class_names is None else repr(class_names[missing[0]])
        notes.append(f"{images.spec}: no images of {len(missing)} of the {num_classes} classes, such as {first}")
    return Pool(taken(images, kept) if left_out else images, labels[kept]), notes
