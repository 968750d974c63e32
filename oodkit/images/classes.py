"""From the labels of an image set to the class order of a model."""

from collections.abc import Iterable, Sequence

import numpy as np

from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet
from oodkit.images.folder_names import plain, safe_folders


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
    classes share finds none of them, but folders that ``safe_folders`` named are found. Where no name is found, but there are as
    many as the model has classes, order decides, and the note says so; unless by_order is False: then all are −1. Labels without
    names are taken as they are. whose: how the note calls the classes.

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
    own = np.array(places_among(images.class_names, class_names or (), class_ids or ()), dtype=np.int64)
    found = int((own >= 0).sum())
    note = None
    if not found and by_order and len(own) == num_classes:
        own = np.arange(num_classes)
        first = f"{images.class_names[0]!r} is taken for class 0" + (f", {class_names[0]!r}" if class_names else "")
        matched = f"its {num_classes} classes are matched by order ({first}){_of_numbers(images.class_names)}"
        note = f"{images.spec}: no class name is {whose}; {matched}"
    elif 0 < found < len(own):
        missing = images.class_names[int((own < 0).argmax())]
        unknown = f"{len(own) - found} of {len(own)} classes {'is' if len(own) - found == 1 else 'are'} none of {whose}"
        note = f"{images.spec}: {unknown}, such as {missing!r}; label −1"
    return np.where(labels < 0, -1, own[labels]), note


def text_order(names: Sequence[str]) -> list[str] | None:
    """Names that are all numbers as torchvision's ImageFolder has them, sorted as text; None where that changes nothing."""
    as_text = sorted(names)
    are_numbers = all(name.isascii() and name.isdecimal() for name in names)
    return as_text if are_numbers and as_text != list(names) else None


def _of_numbers(names: Sequence[str]) -> str:
    as_text = text_order(names)
    if as_text is None:
        return ""
    begin = ", ".join(as_text[:3])
    return f", which is that of numbers; torchvision's ImageFolder has {begin}, …: a letter before each name gives that order"


def places_among(names: Iterable[str], class_names: Sequence[str], class_ids: Sequence[str] = ()) -> list[int]:
    """Of each name the place among the classes that ``align_labels`` finds it at, −1 where it is none of them."""
    known = _lookup(class_ids, class_names)
    return [_find(name, known) for name in names]


def _lookup(class_ids: Sequence[str], class_names: Sequence[str]) -> dict[str, int]:
    """Ids go before names, names before first synonyms, and those before the names of folders."""
    known = _unshared(plain(name) for name in safe_folders(class_names))
    known |= _unshared(plain(name.split(",")[0]) for name in class_names)
    known |= _unshared(plain(name) for name in class_names)
    return known | _unshared(plain(key) for key in class_ids)


def _unshared(names: Iterable[str]) -> dict[str, int]:
    classes: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        classes.setdefault(name, []).append(index)
    return {name: indices[0] for name, indices in classes.items() if len(indices) == 1}


def _find(name: str, known: dict[str, int]) -> int:
    return known.get(plain(name), known.get(plain(name.split(",", maxsplit=1)[0]), -1))
