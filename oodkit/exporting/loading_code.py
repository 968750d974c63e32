"""The few lines that load an export again, as its card shows them."""

import json
from typing import Any

from oodkit.classifier import Classifier
from oodkit.exporting.round_trip import has_new_bias
from oodkit.models.file_facts import architecture_of
from oodkit.models.names import portable
from oodkit.report.gfm import escape, fenced
from oodkit.wording import printable


def loading_code(model: Classifier, form: str, file: str) -> list[str]:
    """Blocks of Markdown. form: a key of ``card.FORMS``. file: the export's name."""
    lines = {"head": _head, "timm": _timm, "state-dict": _state_dict, "onnx": _onnx, "detector": _detector}[form](model, file)
    fed = ", ".join(f"{name} {json.dumps(value)}" for name, value in model.preprocessing.items())
    told = f"Images are fed to it with: {fed}."
    return [fenced(*lines, language="python"), escape(told)]


def _head(model: Classifier, file: str) -> list[str]:
    if any(has_new_bias(model, layer) for layer in model.head.layers):  # load_state_dict would refuse it
        return [
            "import oodkit",
            "",
            f"model = {_loaded(model)}.with_head(oodkit.Head.load({file!r}))",
        ]
    library, made = _source(model)
    loaded = f"net.load_state_dict(load_file({file!r}), strict=False)"
    return [f"import {library}", "from safetensors.torch import load_file", "", made, loaded]


def _timm(_: Classifier, file: str) -> list[str]:
    return [
        "import timm",
        "",
        f'net = timm.create_model({f"local-dir:{file}"!r}, pretrained=True).eval()  # or "hf-hub:OWNER/NAME"',
        "config = timm.data.resolve_model_data_config(net)",
        "transform = timm.data.create_transform(**config, is_training=False)",
    ]


def _state_dict(model: Classifier, file: str) -> list[str]:
    weights = f"{file}/model.safetensors"
    if architecture_of(model) is not None:
        return ["import oodkit", "", f"model = oodkit.load_classifier({weights!r})  # or a plain net.load_state_dict(load_file(…))"]
    return ["import oodkit", "", f"model = {_loaded(model, checkpoint=weights)}"]


def _onnx(_: Classifier, file: str) -> list[str]:
    return [
        "import onnxruntime",
        "",
        f"session = onnxruntime.InferenceSession({file!r})",
        'outputs = session.run(None, {"images": batch})  # (N, channels, height, width) float32, normalised',
    ]


def _detector(_: Classifier, file: str) -> list[str]:
    return [
        "import oodkit",
        "from PIL import Image",
        "",
        f"detector = oodkit.Detector.load({file!r})  # model=… where the network is not one that a name loads",
        'logits, scores, p_values, accepted = detector(Image.open("image.jpg"))',
    ]


def _source(model: Classifier) -> tuple[str, str]:
    """What to import, and the line that makes the source's ``net``."""
    name, source = str(model.source.get("name", model.name)), model.about.get("source")
    arguments = _keywords(model.about.get("model_args") or {})
    if source == "timm":
        return "timm", f"net = timm.create_model({', '.join([repr(portable(name)), 'pretrained=True', *arguments])})"
    if source == "torchvision":
        arch, _, weights = name.removeprefix("torchvision:").partition("/")
        return "torchvision", f"net = torchvision.models.get_model({', '.join([repr(arch), f'weights={weights!r}', *arguments])})"
    return "oodkit", f"net = {_loaded(model)}.net"


def _loaded(model: Classifier, **more: Any) -> str:
    said = {"name": model.name, **model.source, **more}
    cut = {key: portable(value) if key in {"name", "checkpoint"} and key not in more else value for key, value in said.items()}
    name = repr(cut.pop("name"))
    return f"oodkit.load_classifier({', '.join([name, *_keywords(cut)])})"


def _keywords(values: dict[str, Any]) -> list[str]:
    return [printable(f"{name}={value!r}") for name, value in values.items()]
