"""Trained networks as files: safetensors with the metadata by which ``load_classifier`` loads them from their path alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from oodkit.training.networks import Built

WEIGHTS = "model.safetensors"  # of a run; ``local-dir:RUN`` loads it


def save_network(
    path: Path,
    net: nn.Module,
    built: Built,
    *,
    class_names: Sequence[str] | None = None,
    class_ids: Sequence[str] | None = None,
    recipe: Mapping[str, Any] | None = None,
    refitted: bool = False,
    more: Mapping[str, str] | None = None,
) -> None:
    """Write the weights of ``net``, which has the structure of ``built.net``, whole or not at all.

    class_names, class_ids: by default those of ``built``. recipe: how it was trained, as ``Recipe.facts`` tells it, and ``name``, the
    recipe's spec. refitted: whether AugDelete has refitted the last layer. more: what ``Recipe.finish`` returned: ``head``, ``note``.
    Raises OodkitError where the disk is full or the folder can't be written.
    """
    raise NotImplementedError


def metadata_of(built: Built) -> dict[str, str]:
    """What the file says of the network's making: see ``oodkit.models.from_file``."""
    raise NotImplementedError
