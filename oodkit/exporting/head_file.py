"""The head alone as safetensors, under the names of the architecture's own layers, with where it comes from beside it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from oodkit.classifier import Classifier
from oodkit.errors import OutputsError
from oodkit.head import Head, load_head
from oodkit.wording import printable

FROM_ELSEWHERE = re.compile(r"(hf|hf-hub|torch|torchvision|demo):(?![/.~])")


@dataclass(frozen=True)
class Making:
    """How a head came about.

    method: ``"AugDelete"``. fraction: of the training images that it was fitted on. data: what these were. metrics: figures before
    and after, JSON-able.
    """

    method: str | None = None
    fraction: float | None = None
    data: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)


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
    of = source_of(model)
    said = {
        "architecture": architecture_of(model),
        "source": without_folders(of["name"]),
        "weights": of["weights"],
        "classes": None if model.class_names is None else list(model.class_names),
        "preprocessing": dict(model.preprocessing),
        "method": making.method,
        "fraction": making.fraction,
        "data": None if making.data is None else without_folders(making.data),
        "metrics": dict(making.metrics) or None,
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

    return Making(facts.get("method"), found("fraction", float), facts.get("data"), found("metrics", dict) or {})


def source_of(model: Classifier) -> dict[str, str]:
    """``name`` and ``weights``, a hash, of the network as it was loaded, whichever head it has now."""
    told: dict[str, str] | None = model.about.get("head_of")
    return told or {"name": model.name, "weights": model.weights_hash()}


def architecture_of(model: Classifier) -> str | None:
    """The architecture as ``--arch`` takes it; None for a network of the user's own."""
    found, source = model.about.get("architecture"), model.about.get("source")
    if found is None or source == "python":
        return None
    return f"torchvision:{found}" if source == "torchvision" else str(found)


def read_head_for(path: Path, model: Classifier) -> tuple[Head, dict[str, str]]:
    """The head in a file, and its metadata, for the very network that it was made of.

    Raises OutputsError where the file is no head, is damaged, or was made of other weights.
    """
    head, facts = load_head(path)
    expected = facts.get("weights")
    if expected is not None and expected != source_of(model)["weights"]:
        raise OutputsError(
            f"{path} was made of {printable(facts.get('source', 'another network'))} with the weights {printable(expected[:8])}…, "
            f"and {model.name} has {source_of(model)['weights'][:8]}…; give the network that it was made of"
        )
    return head, facts


def without_folders(name: str) -> str:
    """The name of a model or an image set, of a path its last part: where files lie is nobody else's business."""
    return name if FROM_ELSEWHERE.match(name) else re.split(r"[/\\]", name.rstrip("/\\"))[-1]
