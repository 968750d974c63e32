"""Trained networks as files: safetensors with the metadata by which ``load_classifier`` loads them from their path alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from oodkit.models.adapted import NORMALISED, SMALL_STEM
from oodkit.models.base import AUGDELETE
from oodkit.tensor_file import save_stored
from oodkit.training.networks import Built


def save_network(
    path: Path,
    net: nn.Module,
    built: Built,
    *,
    recipe: Mapping[str, Any] | None = None,
    refitted: bool = False,
    more: Mapping[str, str] | None = None,
) -> None:
    """Write the weights of ``net``, which has the structure of ``built.net``, whole or not at all.

    recipe: how it was trained, as ``Recipe.facts`` tells it, and ``name``, the recipe's spec. refitted: whether AugDelete has
    refitted the last layer. more: what ``Recipe.finish`` returned: ``head``, ``note``. Raises OodkitError where the disk is full or
    the folder can't be written.
    """
    names, ids = built.class_names, built.class_ids
    said = {
        **metadata_of(built),
        "class_names": None if names is None else list(names),
        "class_ids": None if ids is None else list(ids),
        "recipe": None if recipe is None else dict(recipe),
        "method": AUGDELETE if refitted else None,
        **(more or {}),
        "format": "pt",
    }
    words = {name: one if isinstance(one, str) else json.dumps(one) for name, one in said.items() if one is not None}
    save_stored(path, {name: tensor.clone() for name, tensor in net.state_dict().items()}, words)


def metadata_of(built: Built) -> dict[str, Any]:
    """What the file says of the network's making; what is None is not said. See ``oodkit.models.from_file.load_file``."""
    options = built.options
    return {
        "architecture": built.architecture,
        "model_args": dict(options.model_args) or None,
        "num_classes": built.num_classes,
        "input_size": list(built.input_size),
        "mean": options.mean,
        "std": options.std,
        "interpolation": options.interpolation,
        "crop_pct": options.crop_pct,
        "stem": SMALL_STEM if built.stem == "small" else None,
        "head": NORMALISED if built.normalised else None,
    }
