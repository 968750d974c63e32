"""A network's weights by parameter name, as a folder: safetensors that say what they are, and the same as JSON."""

import json
from pathlib import Path
from typing import Any

from oodkit.classifier import Classifier, load_classifier
from oodkit.errors import NotApplicableError
from oodkit.exporting.head_file import Making, architecture_of, provenance
from oodkit.exporting.round_trip import require_own_biases, require_same
from oodkit.exporting.target import CARD, place_folder, write_text
from oodkit.tensor_file import save_stored

FORM = "a state dict"
WEIGHTS, ABOUT = "model.safetensors", "oodkit.json"
FILES = (WEIGHTS, ABOUT, CARD)
FORMAT = "oodkit-state-dict-1"
SET_BY_TORCHVISION = ("aux_logits", "transform_input")  # of GoogLeNet and Inception


def export_state_dict(model: Classifier, folder: Path, card: str, making: Making) -> None:
    """Write model.safetensors, oodkit.json and the card. ``oodkit diagnose FOLDER/model.safetensors`` loads it.

    making: of its head. Raises NotApplicableError where the file would load as something else.
    """
    require_own_biases(model, FORM)
    about: dict[str, Any] = {**provenance(model, making), **_about(model)}

    def fill(new: Path) -> None:
        words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}
        tensors = {name: tensor.clone() for name, tensor in model.net.state_dict().items()}
        save_stored(new / WEIGHTS, tensors, {**words, "format": "pt"})
        write_text(new / ABOUT, json.dumps({"format": FORMAT, **about}, indent=1) + "\n")
        write_text(new / CARD, card)
        require_same(model, lambda: _load(model, new / WEIGHTS), FORM)

    place_folder(folder, fill)


def _about(model: Classifier) -> dict[str, Any]:
    """What the loader of a weight file reads from its metadata."""
    fed = dict(model.preprocessing)
    if "resize_size" in fed:  # torchvision's; half a pixel keeps the rounding down from losing one
        fed["crop_pct"] = fed["input_size"][1] / (fed["resize_size"] + 0.5)
    said: dict[str, Any] = {
        "architecture": architecture_of(model),
        "num_classes": model.num_classes,
        **{name: fed[name] for name in ("input_size", "mean", "std", "interpolation", "crop_pct") if name in fed},
        "class_names": None if model.class_names is None else list(model.class_names),
        "class_ids": None if model.class_ids is None else list(model.class_ids),
        "model_args": _arguments(model) or None,
        "recipe": None if model.origin else model.about.get("recipe"),  # another head was trained otherwise
    }
    return {name: value for name, value in said.items() if value is not None}


def _arguments(model: Classifier) -> dict[str, Any]:
    """Of the constructor: those that were given, and what torchvision sets by itself where it loads weights of its own."""
    set_by_itself: tuple[str, ...] = SET_BY_TORCHVISION if model.about.get("source") == "torchvision" else ()
    own = {name: getattr(model.net, name) for name in set_by_itself if hasattr(model.net, name)}
    return {**own, **(model.about.get("model_args") or {})}


def _load(model: Classifier, path: Path) -> Classifier:
    if not model.source:
        raise NotApplicableError(
            f"{model.name} can't be had as {FORM}: it was not made by load_classifier, which is to load it again"
        )
    if architecture_of(model) is None:
        return load_classifier(**{**model.source, "checkpoint": str(path)})
    return load_classifier(str(path))
