"""Whether image sets can serve a training, asked before anything is built."""

from collections.abc import Mapping

import numpy as np

from oodkit.errors import ImageSetError, UsageError
from oodkit.images.base import ImageSet
from oodkit.images.classes import align_labels
from oodkit.images.synthesis import require_finished
from oodkit.training.pools import real_pool
from oodkit.training.recipes import RECIPES, Recipe
from oodkit.wording import printable


def fingerprints_of(given: Mapping[str, ImageSet], recipe: Recipe) -> dict[str, str]:
    """The fingerprint of each set by the name of its option, ``data`` among them.

    Raises UsageError or ImageSetError, in one line, for sets that the recipe can't be trained with.
    """
    _require_its_sets(recipe, given)
    _require_classes(given["data"])
    for images in given.values():
        require_finished(images)
    fingerprints = {name: images.fingerprint() for name, images in given.items()}
    _require_other_images(fingerprints)
    return fingerprints


def _require_its_sets(recipe: Recipe, given: Mapping[str, ImageSet]) -> None:
    """Raise UsageError where a set is missing that the recipe trains with, or one is given that it has no use for."""
    what = {"outliers": "images of none of the classes", "mixing": "images to mix in"}
    for name, meaning in what.items():
        if name in recipe.needs and name not in given:
            raise UsageError(f"{recipe.name} trains with {meaning}: give --{name} SET")
        if name in given and name not in recipe.needs:
            users = " or ".join(own for own, one in RECIPES.items() if name in one.needs)
            way_out = f"leave them out, or take {users}" if users else "leave them out"
            raise UsageError(f"{recipe.name} has no use for {meaning} (--{name}); {way_out}")


def _require_classes(data: ImageSet) -> None:
    real_pool(data)
    present = np.unique(data.labels)
    if len(present) < 2:
        named = "" if data.class_names is None else f", {data.class_names[int(present[0])]!r}"
        raise ImageSetError(f"training needs images of two classes or more, all of {data.spec} are of one{printable(named)}")
    if data.class_names is not None:
        found, _ = align_labels(data, data.class_names, None, len(data.class_names))
        if (found < 0).any():
            name = printable(repr(data.class_names[int(data.labels[int((found < 0).argmax())])]))
            rule = "letter case does not count, and _ is a space"
            raise ImageSetError(f"{data.spec} has another class whose name is the same as {name} ({rule}); rename one")


def _require_other_images(fingerprints: Mapping[str, str]) -> None:
    for name, fingerprint in fingerprints.items():
        if name != "data" and fingerprint == fingerprints["data"]:
            raise UsageError(f"the set given as --{name} is the very set given as --data; give other images, or leave it out")
