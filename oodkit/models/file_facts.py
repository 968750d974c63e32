"""What a file of a classifier's weights must say, so that ``load_classifier`` makes the same classifier of it alone."""

from typing import Any

from oodkit.classifier import Classifier
from oodkit.models.from_file import TOLD
from oodkit.models.names import torchvision_names

SET_BY_TORCHVISION = ("aux_logits", "transform_input")  # of GoogLeNet and Inception


def architecture_of(model: Classifier) -> str | None:
    """The architecture as ``--arch`` takes it; None for a network of the user's own."""
    found, source = model.about.get("architecture"), model.about.get("source")
    if found is None or source == "python":
        return None
    return f"torchvision:{found}" if source == "torchvision" else str(found)


def file_facts(model: Classifier) -> dict[str, Any]:
    """The metadata of a file of its weights, as ``oodkit.models.from_file`` reads them, JSON-able; without what is not known."""
    fed = dict(model.preprocessing)
    if "resize_size" in fed:  # torchvision's; half a pixel keeps the rounding down from losing one
        fed["crop_pct"] = fed["input_size"][1] / (fed["resize_size"] + 0.5)
    architecture = architecture_of(model)
    said: dict[str, Any] = {
        "architecture": f"timm:{architecture}" if architecture in torchvision_names() else architecture,
        "num_classes": model.num_classes,
        **{name: fed[name] for name in ("input_size", "mean", "std", "interpolation", "crop_pct") if name in fed},
        "class_names": None if model.class_names is None else list(model.class_names),
        "class_ids": None if model.class_ids is None else list(model.class_ids),
        "model_args": _arguments(model) or None,
        **{name: model.about.get(name) for name in TOLD},
    }
    said["recipe"] = None if model.origin else said["recipe"]  # another head was trained otherwise
    return {name: value for name, value in said.items() if value is not None}


def _arguments(model: Classifier) -> dict[str, Any]:
    """Of the constructor: those that were given, and what torchvision sets by itself where it loads weights of its own."""
    set_by_itself: tuple[str, ...] = SET_BY_TORCHVISION if model.about.get("source") == "torchvision" else ()
    own = {name: getattr(model.net, name) for name in set_by_itself if hasattr(model.net, name)}
    return {**own, **(model.about.get("model_args") or {})}
