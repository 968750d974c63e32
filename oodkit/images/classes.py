"""From the labels of an image set to the class order of a model."""

from collections.abc import Iterable, Sequence

import numpy as np

from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet


def align_labels(
    images: ImageSet,
    class_names: Sequence[str] | None,
    class_ids: Sequence[str] | None,
    num_classes: int,
    whose: str = "the model's",
    *,
    by_order: bool = True,
) -> tuple[np.ndarray, str | None]:
    """Labels (N,) int64 in the model's class order, −1 = none of its classes, and one line to show where they need a caution.

    The set's class names (its class folders) are looked up among the model's class ids (such as WordNet's n01440764) and class
    names, in whole or by the first synonym before a comma; letter case does not count and ``_`` is a space. A name that several
    classes share finds none of them. Where no name is found, but there are as many as the model has classes, order decides, and the
    note says so; unless by_order is False: then all are −1. Labels without names are taken as they are. whose: how the note calls
    the classes.

    Raises ImageSetError where a label without a name is ``num_classes`` or more.
    """
    labels = images.labels.astype(np.int64)
    if images.class_names is None:
        largest = int(labels.max(initial=-1))
        if largest >= num_classes:
            raise ImageSetError(
                f"{images.spec} has labels up to {largest}, the model has {num_classes} classes (0 to {num_classes - 1})"
            )
        return labels, None
    known = _lookup(class_ids or (), class_names or ())
    own = np.array([_find(name, known) for name in images.class_names], dtype=np.int64)
    found = int((own >= 0).sum())
    note = None
    if not found and by_order and len(own) == num_classes:
        own = np.arange(num_classes)
        first = f"{images.class_names[0]!r} is taken for class 0" + (f", {class_names[0]!r}" if class_names else "")
        note = f"{images.spec}: no class name is {whose}; its {num_classes} classes are matched by order ({first})"
    elif 0 < found < len(own):
        missing = images.class_names[int((own < 0).argmax())]
        note = f"{images.spec}: {len(own) - found} of {len(own)} classes are none of {whose}, such as {missing!r}; label −1"
    return np.where(labels < 0, -1, own[labels]), note


def _lookup(class_ids: Sequence[str], class_names: Sequence[str]) -> dict[str, int]:
    """Ids go before names, and names before first synonyms."""
    known = _unshared(_plain(name.split(",")[0]) for name in class_names)
    known |= _unshared(_plain(name) for name in class_names)
    return known | _unshared(_plain(key) for key in class_ids)


def _unshared(names: Iterable[str]) -> dict[str, int]:
    classes: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        classes.setdefault(name, []).append(index)
    return {name: indices[0] for name, indices in classes.items() if len(indices) == 1}


def _find(name: str, known: dict[str, int]) -> int:
    return known.get(_plain(name), known.get(_plain(name.split(",", maxsplit=1)[0]), -1))


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())
