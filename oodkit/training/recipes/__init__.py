"""The recipes: one file each. ``RECIPES`` is the only list."""

from typing import Any

from oodkit.errors import UsageError
from oodkit.training.recipes.base import Recipe
from oodkit.training.recipes.v1 import V1

RECIPES: dict[str, type[Recipe]] = {recipe.name: recipe for recipe in (V1,)}


def make_recipe(name: str, **settings: Any) -> Recipe:
    """A recipe by name with its hyper-parameters. Raises UsageError for an unknown name, setting or value."""
    if name not in RECIPES:
        raise UsageError(f"no recipe {name!r}; choose from {', '.join(RECIPES)}")
    return RECIPES[name](**settings)
