"""Whether the labels of an ID set fit a model, and what to do where they do not."""

from collections.abc import Sequence

import numpy as np

from oodkit.classifier import Classifier
from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.wording import counted, printable

SPLITS = {"id": "test", "fit": "train", "val": "val"}


def require_known_classes(role: str, images: ImageSet, model: Classifier) -> None:
    """Raise ImageSetError where an image of the set is of none of the model's classes. role: id, fit or val."""
    labels, _ = align_labels(images, model.class_names, model.class_ids, model.num_classes)
    unknown = int((labels < 0).sum())
    if not unknown:
        return
    found = f"{unknown} of {len(images)} images of {images.spec} belong to none of the {model.num_classes} classes of {model.name}"
    own = images.class_names
    if own is None or not (images.labels >= 0).any():
        remedy = " (they have no labels); give class folders, named as the model names its classes"
    elif unknown == len(images) and _lies_deeper(images):
        remedy = _a_level_down(role, images.spec, own)
    elif not (model.class_names or model.class_ids):
        remedy = _one_for_each(images.spec, own, model.num_classes)
    else:
        remedy = f" (the set has {_begin(own)}); name the class folders as the model names its classes"
        remedy += ", or by WordNet id for ImageNet"
    raise ImageSetError(found + remedy)


def _lies_deeper(images: ImageSet) -> bool:
    """Whether the first image of every class lies in a folder below the class's."""
    _, first = np.unique(images.labels[images.labels >= 0], return_index=True)
    labelled = np.flatnonzero(images.labels >= 0)
    return all(images.image_name(int(labelled[index])).count("/") >= 2 for index in first)


def _a_level_down(role: str, spec: str, folders: Sequence[str]) -> str:
    below = f"{spec.rstrip('/')}/{SPLITS[role] if SPLITS[role] in folders else folders[0]}"
    held = f"its folders ({_begin(folders)}) hold folders of images: if those are the classes, name a set a level down"
    return f"; {held}, such as {printable(below)}"


def _one_for_each(spec: str, own: Sequence[str], num_classes: int) -> str:
    """Of a model without names; as many folders as classes would have been taken in their order."""
    folders = counted(len(own), "class folder", "class folders")
    missing = "an empty folder for each missing class keeps the order" if len(own) < num_classes else "take the others out"
    held = f"{printable(spec)} has {folders} ({_begin(own)}), and the model {num_classes} classes without names"
    return f": {held}; give a folder for each class, in the model's order: {missing}"


def _begin(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names[:3])) + (", …" if len(names) > 3 else "")
