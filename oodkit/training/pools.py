"""The images that training draws from, with labels in the class order that is trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels, places_among
from oodkit.images.limited import taken
from oodkit.wording import counted, printable

NAME_THEM = "name its class folders as those of the training images"
LONGEST_NUMBER = 9  # digits


@dataclass(frozen=True)
class Pool:
    """Images of one source and the label of each, (N,) int64; −1 for outliers."""

    images: ImageSet
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def count_classes(images: ImageSet) -> int:
    """How many classes the images have: as many as have names or, of numbers alone, up to the largest label."""
    return int(images.labels.max(initial=-1)) + 1 if images.class_names is None else len(images.class_names)


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
    """``align_labels`` with the classes that are trained, but no order decides where there are names or numbers to go by.

    Where the trained classes have no names, class folders that are numbers are the labels.
    Raises ImageSetError where both sides have names and share none, or a label without a name is too large.
    """
    named = class_names or class_ids
    if not named and (numbers := _numbers(images.class_names)) is not None:
        return _of_numbers(images, numbers, num_classes), None
    labels, note = align_labels(images, class_names, class_ids, num_classes, "the training images'", by_order=not named)
    if named and images.class_names is not None and note is None and (images.labels >= 0).any() and not (labels >= 0).any():
        here, there = (printable(repr(names[0])) for names in (images.class_names, named))
        raise ImageSetError(f"no class of {images.spec} is one of the training images': {here} here, {there} there; {NAME_THEM}")
    return labels, note


def _synthetic_labels(
    images: ImageSet, class_names: Sequence[str] | None, num_classes: int, class_ids: Sequence[str] | None
) -> tuple[np.ndarray, str | None]:
    """``trained_labels``, but folders that are numbers, of classes that are none, are taken for places in the class order.

    So generators' own numbers are, as in the authors' labels.npy or the folders that were made of it.
    """
    named, numbers = class_names or class_ids, _numbers(images.class_names)
    by_name = named and images.class_names and max(places_among(images.class_names, class_names or (), class_ids or ())) >= 0
    if not named or numbers is None or by_name or _numbers(named) is not None:
        return trained_labels(images, class_names, num_classes, class_ids)
    labels = _of_numbers(images, numbers, num_classes)
    first = int(labels[labels >= 0].min(initial=num_classes - 1))
    return labels, f"{images.spec}: its class folders are numbers, taken for places in the class order: {first} is {named[first]!r}"


def _numbers(names: Sequence[str] | None) -> np.ndarray | None:
    """What the names are as numbers, (C,) int64; None where any is none."""
    if not names or not all(name.isascii() and name.isdecimal() and len(name) <= LONGEST_NUMBER for name in names):
        return None
    return np.array([int(name) for name in names], dtype=np.int64)


def _of_numbers(images: ImageSet, numbers: np.ndarray, num_classes: int) -> np.ndarray:
    labels: np.ndarray = np.where(images.labels < 0, -1, numbers[images.labels])
    largest = int(labels.max(initial=-1))
    if largest >= num_classes:
        there = f"there are {num_classes} classes that are trained (0 to {num_classes - 1})"
        raise ImageSetError(f"{images.spec} has class folders of numbers up to {largest}, and {there}; {NAME_THEM}")
    return labels


def synthetic_pool(
    images: ImageSet, class_names: Sequence[str] | None, num_classes: int, class_ids: Sequence[str] | None = None
) -> tuple[Pool, list[str]]:
    """Synthetic images in the order of the real classes, and a line for whatever does not fit.

    class_names, class_ids: of the real images, matched as ``trained_labels`` does, or by number where the synthetic classes are
    numbers and these are names. Images of other classes are left out; classes without synthetic images are named.
    Raises ImageSetError as it does, and where no image is left.
    """
    labels, note = _synthetic_labels(images, class_names, num_classes, class_ids)
    notes = [] if note is None else [note]
    kept = np.flatnonzero(labels >= 0)
    if not len(kept):
        raise ImageSetError(f"no image of {images.spec} is of a class that is trained; {NAME_THEM}")
    if left_out := len(labels) - len(kept):
        notes.append(f"{images.spec}: {counted(left_out, 'image', 'images')} of no class that is trained left out")
    missing = np.flatnonzero(np.bincount(labels[kept], minlength=num_classes) == 0)
    if len(missing):
        first = int(missing[0]) if class_names is None else repr(class_names[missing[0]])
        notes.append(f"{images.spec}: no images of {len(missing)} of the {num_classes} classes, such as {first}")
    return Pool(taken(images, kept) if left_out else images, labels[kept]), notes
