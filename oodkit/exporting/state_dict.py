"""A network's weights by parameter name, as a folder: safetensors that say what they are, and the same as JSON."""

import json
from pathlib import Path
from typing import Any

from oodkit.classifier import Classifier, load_classifier
from oodkit.errors import NotApplicableError
from oodkit.exporting.head_file import Making, provenance
from oodkit.exporting.round_trip import require_own_biases, require_same
from oodkit.exporting.target import CARD, place_folder, write_text
from oodkit.models.file_facts import architecture_of, file_facts
from oodkit.tensor_file import save_stored

FORM = "a state dict"
WEIGHTS, ABOUT = "model.safetensors", "oodkit.json"
FILES = (WEIGHTS, ABOUT, CARD)
FORMAT = "oodkit-state-dict-1"


def export_state_dict(model: Classifier, folder: Path, card: str, making: Making) -> None:
    """Write model.safetensors, oodkit.json and the card. ``oodkit diagnose FOLDER/model.safetensors`` loads it.

    making: of its head. Raises NotApplicableError where the file would load as something else.
    """
    require_own_biases(model, FORM)
    about: dict[str, Any] = {**provenance(model, making), **file_facts(model)}

    def fill(new: Path) -> None:
        words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}
        tensors = {name: tensor.clone() for name, tensor in model.net.state_dict().items()}
        save_stored(new / WEIGHTS, tensors, {**words, "format": "pt"})
        write_text(new / ABOUT, json.dumps({"format": FORMAT, **about}, indent=1) + "\n")
        write_text(new / CARD, card)
        require_same(model, lambda: _load(model, new / WEIGHTS), FORM)

    place_folder(folder, fill)


def _load(model: Classifier, path: Path) -> Classifier:
    if not model.source:
        raise NotApplicableError(
            f"{model.name} can't be had as {FORM}: it was not made by load_classifier, which is to load it again"
        )
    if architecture_of(model) is None:
        return load_classifier(**{**model.source, "checkpoint": str(path)})
    return load_classifier(str(path))
