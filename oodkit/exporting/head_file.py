"""The head alone as safetensors, under the names of the architecture's own layers, with where it comes from beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from oodkit.classifier import Classifier
from oodkit.errors import OutputsError
from oodkit.head import Head, load_head
from oodkit.models.file_facts import architecture_of
from oodkit.wording import printable, without_folders


@dataclass(frozen=True)
class Making:
    """How a head came about.

    method: ``"AugDelete"``. fraction: of the training images that it was fitted on. data: what these were. metrics: figures before
    and after; refit: the settings and the outcome; both JSON-able.
    """

    method: str | None = None
    fraction: float | None = None
    data: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    refit: Mapping[str, Any] = field(default_factory=dict)


def save_head(path: Path, model: Classifier, making: Making = Making()) -> None:
    """Write the head of ``model``, as ``with_head`` gave it or as it was loaded, and whatever a reader needs to use it.

    Paths in names are cut to their last part: the file is made to be given away.
    """
    model.head.save(path, head_facts(model, making), model.net)


def head_facts(model: Classifier, making: Making = Making()) -> dict[str, str]:
    """``provenance`` as the metadata of a file has it: words as they are, all else as JSON."""
    told = provenance(model, making)
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}


def provenance(model: Classifier, making: Making = Making()) -> dict[str, Any]:
    """Architecture, source and its hash, classes, preprocessing, how the head was made; without what is not known."""
    of = model.as_loaded()
    said = {
        "architecture": architecture_of(model),
        "source": without_folders(of.name),
        "weights": of.weights,
        "classes": None if model.class_names is None else list(model.class_names),
        "preprocessing": dict(model.preprocessing),
        "method": making.method or (model.origin and model.origin.method) or None,
        "fraction": making.fraction,
        "data": None if making.data is None else without_folders(making.data),
        "metrics": dict(making.metrics) or None,
        "refit": dict(making.refit) or None,
        "oodkit": version("oodkit"),
    }
    return {name: value for name, value in said.items() if value is not None}


def making_of(facts: Mapping[str, str]) -> Making:
    """How the head was made, of the metadata of its file; what makes no sense there is passed over."""

    def found(name: str, kind: type[Any]) -> Any:
        try:
            value = json.loads(facts.get(name, "null"))
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, kind) else None

    told = (found(name, dict) or {} for name in ("metrics", "refit"))
    return Making(facts.get("method"), found("fraction", float), facts.get("data"), *told)


def read_head_for(path: Path, model: Classifier) -> tuple[Head, dict[str, str]]:
    """The head in a file, and its metadata, for the very network that it was made of.

    Raises OutputsError where the file is no head, is damaged, or was made of other weights.
    """
    head, facts = load_head(path)
    expected, own = facts.get("weights"), model.as_loaded().weights
    if expected is not None and expected != own:
        raise OutputsError(
            f"{path} was made of {printable(facts.get('source', 'another network'))} with the weights {printable(expected[:8])}…, "
            f"and {model.name} has {own[:8]}…; give the network that it was made of"
        )
    return head, facts
