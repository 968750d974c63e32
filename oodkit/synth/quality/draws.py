"""Which images are compared: of every set as many of each class, drawn once, and none of the real ones twice."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.synth.quality.found import NEIGHBOURS
from oodkit.wording import counted, printable

Ints = np.ndarray


@dataclass(frozen=True, eq=False)
class Classes:
    """Those of the real images. names: in the real set's order. labelled: False where it has none; then all images are of one."""

    names: tuple[str, ...]
    labelled: bool

    @classmethod
    def of(cls, real: ImageSet) -> "Classes":
        if not (real.labels >= 0).any():
            return cls(("",), labelled=False)
        return cls(real.class_names or tuple(str(label) for label in range(int(real.labels.max()) + 1)), labelled=True)

    def own_labels(self, real: ImageSet) -> Ints:
        """Labels (N,) of the real images themselves, all 0 where they have no classes."""
        return real.labels.astype(np.int64) if self.labelled else np.zeros(len(real), dtype=np.int64)

    def labels_of(self, images: ImageSet) -> tuple[Ints, str | None]:
        """Labels (N,) in this order, −1 = none of these classes, and a note where they need a caution."""
        if not self.labelled:
            return np.zeros(len(images), dtype=np.int64), None
        return align_labels(images, self.names, self.names, len(self.names), "the real images'")


def shuffled(labels: Ints, seed: int) -> Ints:
    """(M,) positions of the images that have a class: class by class, in an order drawn by ``seed`` within each."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[labels[order] >= 0]
    sorted_by_class: Ints = order[labels[order].argsort(kind="stable")]
    return sorted_by_class


def places_in_class(labels: Ints) -> Ints:
    """(M,) of sorted labels: 0 for the first of each class, then 1, 2, …"""
    places: Ints = np.arange(len(labels)) - np.searchsorted(labels, labels)
    return places


def counts(labels: Ints, classes: int) -> Ints:
    """(C,) images by class."""
    return np.bincount(labels[labels >= 0], minlength=classes)


def equal_counts(real: Ints, synthetic: Mapping[str, Ints], most: int) -> Ints:
    """(C,) how many images of each class every set can give, the real ones twice, at most ``most`` in all.

    A larger sum is cut class by class in proportion, of which the largest remainders are rounded up.
    """
    there: Ints = np.min([real // 2, *synthetic.values()], axis=0)
    total = int(there.sum())
    if total <= most:
        return there
    shares = there * (most / total)
    cut: Ints = np.floor(shares).astype(np.int64)
    up = np.argsort(cut - shares, kind="stable")[: most - int(cut.sum())]
    cut[up] += 1
    return cut


def require_enough(each: Ints, classes: Classes, synthetic: Mapping[str, Ints]) -> None:
    """Raise ImageSetError where too few images can be compared. synthetic: images by class of each set."""
    total = int(each.sum())
    if total > NEIGHBOURS:
        return
    for name, own in synthetic.items():
        if not own.any():
            some = ", ".join(map(printable, classes.names[:3]))
            raise ImageSetError(
                f"{printable(name)} has no image of a class of the real ones ({some}, …); name its class folders alike"
            )
    found = f"{counted(total, 'image', 'images')} of each set can be compared, as many of each class"
    raise ImageSetError(f"{found}; more than {NEIGHBOURS} are needed: give more images; real ones are compared in two halves")
