"""A whole timm model as a folder: ``timm.create_model("local-dir:FOLDER", pretrained=True)`` and the Hub load it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oodkit.classifier import Classifier, load_classifier
from oodkit.errors import NotApplicableError
from oodkit.exporting.round_trip import require_own_biases, require_same
from oodkit.exporting.target import CARD, place_folder, write_text, writing
from oodkit.wording import printable

FORM = "a timm folder"
INSTEAD = "--as state-dict, --as onnx, --as head or --as detector can have it"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
FILES = (CONFIG, WEIGHTS, CARD)
FED = ("input_size", "interpolation", "crop_mode", "crop_pct", "mean", "std")


def require_timm(model: Classifier) -> None:
    """Raise NotApplicableError, with the way out, for a network that timm would not build, or would feed otherwise."""
    config: Any = getattr(model.net, "pretrained_cfg", None)
    if not (isinstance(config, Mapping) or hasattr(config, "get")) or not type(model.net).__module__.startswith("timm."):
        raise NotApplicableError(f"{model.name} is no network of timm's; --as state-dict takes any network")
    if not set(FED) <= set(model.preprocessing):
        raise NotApplicableError(f"{model.name} has a transform of its own, which timm can't know; use --as state-dict")
    for change in ("stem", "head"):
        if change in model.about:
            what = f"its {change} is {printable(str(model.about[change]))}"
            raise NotApplicableError(f"{model.name} can't be had as {FORM}: {what}, and timm would build another; {INSTEAD}")
    require_own_biases(model, FORM)


def export_timm(model: Classifier, folder: Path, card: str) -> None:
    """Write config.json, model.safetensors and the card; no pickle. The images are fed as ``model`` is fed them.

    Raises NotApplicableError where the network is not timm's, or the folder would load as something else.
    """
    require_timm(model)

    def fill(new: Path) -> None:
        with writing(folder):
            _write_config_and_weights(model, new)
        (new / WEIGHTS).chmod((new / CONFIG).stat().st_mode)  # safetensors lets nobody but the owner read
        write_text(new / CARD, card)
        require_same(model, lambda: load_classifier(f"local-dir:{new}"), FORM)

    place_folder(folder, fill)


def _write_config_and_weights(model: Classifier, folder: Path) -> None:
    """With the preprocessing that it is evaluated with, so that nobody has to know of timm's separate size for tests."""
    from timm.models import save_for_hf

    fed = {name: model.preprocessing[name] for name in FED} | {"test_input_size": None, "test_crop_pct": None}
    if model.about.get("source") != "timm":  # else the config would tell of the weights that timm has for this architecture
        fed |= dict.fromkeys(("tag", "license", "origin_url", "paper_ids", "paper_name"))
    config: dict[str, Any] = {"pretrained_cfg": fed}
    if model.class_names is not None:
        ids = model.class_ids or model.class_names  # what folders of images are named by
        config["label_names"] = list(ids)
        config["label_descriptions"] = {one: name for one, name in zip(ids, model.class_names, strict=True) if one != name}
    if model.origin and model.origin.method:
        config["method"] = model.origin.method  # oodkit knows by it that the recipe no longer tells of the last layer
    arguments = dict(model.about.get("model_args") or {})
    save_for_hf(model.net, str(folder), model_config=config, model_args=arguments, safe_serialization=True)
