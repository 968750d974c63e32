"""The model card: the Hub's own library reads it, its code runs, its figures are the run's, and no name in it becomes markup."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image

from oodkit.calibration import Calibration
from oodkit.classifier import Origin
from oodkit.detector import Detector
from oodkit.exporting.card import base_model, card_text
from oodkit.exporting.head_file import Making, save_head
from oodkit.exporting.loading_code import loading_code
from oodkit.exporting.state_dict import export_state_dict
from oodkit.exporting.timm_folder import export_timm
from oodkit.scorers import make_scorer

MADE = Making("AugDelete", 0.2, "/home/me/train")
GOLDEN = Path(__file__).parents[1] / "report" / "golden" / "result.json"


@pytest.fixture
def repaired(trained, on):
    model = trained("test_resnet", input_size=32)
    return model.with_head(on.another(model.head))


def told(model, form="head", file="head.safetensors", **rest):
    return card_text(model, form, file, **{"making": MADE, **rest})


@pytest.mark.parametrize("form", ["head", "timm", "state-dict", "onnx", "detector"])
def test_the_hub_reads_every_forms_card(repaired, form):
    card = ModelCard(told(repaired, form), ignore_metadata_errors=False)
    assert card.data.pipeline_tag == "image-classification"
    assert card.data.library_name == {"timm": "timm", "onnx": "onnx"}.get(form, "oodkit")
    assert card.data.license is None  # of a file of one's own nobody knows it
    headings = re.findall(r"^## (.*)$", card.text, re.MULTILINE)
    assert headings == [
        "What was done",
        "What was measured",
        "How to load it",
        "Intended use",
        "Limits",
        "Licence",
    ]


def test_it_says_what_was_done(repaired):
    text = told(repaired)
    assert "the last layer (fc) was refitted by plain cross-entropy, without label smoothing or mixup (AugDelete: " in text
    assert "- it was fitted on 20 % of the training images train\n" in text
    assert "/home/me" not in text
    assert "The licence of the source weights is not known to oodkit" in text


def test_of_a_network_as_it_was_loaded_it_says_that_nothing_was_done(trained):
    text = card_text(trained("test_resnet", input_size=32), "timm", "out", making=Making())
    assert "- nothing was changed: the weights are the source's own" in text
    assert "Only the last layer was changed" not in text
    assert "Nothing was measured; `oodkit diagnose` does." in text


@pytest.mark.parametrize(("fraction", "told_as"), [(0.005, "0.5 %"), (0.0012, "0.12 %"), (1.0, "100 %")])
def test_a_small_share_is_not_rounded_to_another(repaired, fraction, told_as):
    assert f"- it was fitted on {told_as} of the training images\n" in told(repaired, making=Making("AugDelete", fraction))


def golden_document() -> dict:
    """A diagnosis of two models, of which the first is the other's baseline, both files of somebody's."""
    text = GOLDEN.read_text("utf-8").replace("demo:digits-v1", "/home/me/one.pth").replace("demo:digits-v2", "/home/me/two.pth")
    return json.loads(text)


def test_where_the_models_of_its_run_lie_is_not_told(repaired):
    """Neither in the verdict's sentence nor in its evidence, which names the baseline."""
    document = golden_document()
    document["models"] = document["models"][1:]
    text = told(repaired, document=document)
    assert "two.pth" in text
    assert "one.pth" in text
    assert "/home/me" not in text


def test_the_rivals_of_the_runs_best_are_not_told_to_be_those_of_another_scorer(repaired):
    document = golden_document()
    model = document["models"][0]
    model["best"], model["rivals"] = "knn", [{"scorer": "mls", "difference": -0.1, "low": -0.2, "high": -0.05, "p_value": 0.001}]
    for row in model["results"]:
        row["notes"] = []
    assert "knn is ahead of every other" in told(repaired, document=document, scorer=spec_of(model, "knn"))
    assert "is ahead of every other" not in told(repaired, document=document, scorer=spec_of(model, "mls"))


def spec_of(model: dict, scorer: str) -> str:
    return next(row["spec"] for row in model["results"] if row["scorer"] == scorer)


def test_of_a_run_of_several_models_it_shows_the_first_which_is_what_is_exported(repaired):
    document = golden_document()
    for model, value in zip(document["models"], (0.75, 0.5), strict=True):
        model["accuracy"]["value"] = value
    assert "ID accuracy: 75.00 %" in told(repaired, document=document)


@pytest.mark.parametrize(
    ("licence", "data"),
    [
        ("apache-2.0", ("apache-2.0", None)),
        ("MIT", ("mit", None)),
        ("fastvit-license", ("other", "fastvit-license")),
        ("unknown", (None, None)),
        (None, (None, None)),
        (["mit"], (None, None)),
    ],
)
def test_the_licence_is_the_source_weights_in_the_hubs_words(repaired, licence, data):
    repaired.about = {**repaired.about, "license": licence, "origin_url": "https://example.org"}
    card = ModelCard(told(repaired))
    assert (card.data.license, card.data.to_dict().get("license_name")) == data
    if data[0]:
        assert f"<span>:</span>//example.org) are under {licence}; what is made of them stays under its terms." in card.text


@pytest.mark.parametrize(
    ("source", "about", "found"),
    [
        ("resnet50.tv2_in1k", {"hf_hub_id": "timm/resnet50.tv2_in1k"}, "timm/resnet50.tv2_in1k"),
        ("hf-hub:owner/net@abc123", {}, "owner/net"),
        ("net.safetensors", {}, None),
        ("net.safetensors", {"hf_hub_id": "timm/"}, None),
        ("net.safetensors", {"hf_hub_id": "a/b\nlicense: mit"}, None),
    ],
)
def test_the_base_model_is_what_the_hub_knows_it_by(repaired, source, about, found):
    repaired.about, repaired.origin = {**repaired.about, **about}, Origin(source, "0")
    assert base_model(repaired) == found
    data = ModelCard(told(repaired)).data.to_dict()
    assert (data.get("base_model"), data.get("base_model_relation")) == (found, "finetune" if found else None)


def test_its_code_loads_the_export(trained, on, repaired, tmp_path, monkeypatch):
    """Each form's lines are run as they stand in the card."""
    monkeypatch.chdir(tmp_path)
    images = on.images_for(repaired)
    logits = on.logits_of(repaired.net, images)
    save_head(tmp_path / "head.safetensors", repaired)
    export_timm(repaired, tmp_path / "folder", "the card")
    export_state_dict(repaired, tmp_path / "weights", "the card", MADE)
    for form, file, made in (("head", "head.safetensors", "net"), ("timm", "folder", "net"), ("state-dict", "weights", "model")):
        names = run(loading_code(repaired, form, file)[0])
        on.close(on.logits_of(names[made].net if made == "model" else names[made], images), logits)


def test_its_code_for_a_detector_gives_it_the_image_as_the_file_holds_it(repaired, tmp_path, monkeypatch):
    """Of 16 bits a conversion before the detector's own would leave white."""
    monkeypatch.chdir(tmp_path)
    detector = Detector(repaired, make_scorer("mls"), Calibration(np.zeros(1), 0.5))
    Image.fromarray(np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)).save("image.png")
    monkeypatch.setattr(Detector, "load", lambda path: detector)
    block = loading_code(repaired, "detector", "detector.safetensors")[0].replace("image.jpg", "image.png")
    assert torch.equal(run(block)["scores"], detector(Image.open("image.png")).scores)


def test_its_code_for_a_timm_name_is_three_lines_without_oodkit(repaired):
    repaired.about = {**repaired.about, "source": "timm"}
    repaired.source = {"name": "resnet50.tv2_in1k"}
    assert loading_code(repaired, "head", "head.safetensors")[0] == (
        "```python\n"
        "import timm\n"
        "from safetensors.torch import load_file\n"
        "\n"
        "net = timm.create_model('resnet50.tv2_in1k', pretrained=True)\n"
        "net.load_state_dict(load_file('head.safetensors'), strict=False)\n"
        "```"
    )


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ({"name": "py:/home/me/nets.py:small", "input_size": [3, 8, 8], "checkpoint": "/home/me/w.pth"}, "'py:nets.py:small'"),
        ({"name": "/home/me/net.pth", "arch": "resnet18"}, "'net.pth', arch='resnet18'"),
    ],
)
def test_its_code_for_files_of_ones_own_leaves_out_where_they_lie(repaired, source, line):
    repaired.source = source
    code = loading_code(repaired, "head", "head.safetensors")[0]
    assert f"net = oodkit.load_classifier({line}" in code
    assert "/home/me" not in code


def test_its_code_for_a_layer_without_bias_gives_it_one(repaired):
    repaired.head = type(repaired.head)(repaired.head.weight, repaired.head.bias, ("fc",), shapes={"fc.weight": (5, 96)})
    assert ".with_head(oodkit.Head.load(" in loading_code(repaired, "head", "head.safetensors")[0]


def run(block: str) -> dict:
    code = block.removeprefix("```python\n").removesuffix("\n```")
    names: dict = {}
    exec(compile(code, "card", "exec"), names)
    return names


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a\n---\nlicense: mit", "`x`\x1b[31m", "](http://evil)", "'''\nimport os"]
)
def test_no_name_becomes_markup_metadata_or_code(repaired, name):
    repaired.name, repaired.class_names = f"{name} + AugDelete", (name,) * 5
    repaired.origin = Origin(name, "0", name)
    repaired.about = {
        **repaired.about,
        "license": name,
        "hf_hub_id": name,
        "source": "timm",
    }
    repaired.source = {"name": name}
    text = told(repaired, file=f"{name}.safetensors", making=Making(name, 0.1, name, {name: name}))
    card = ModelCard(text, ignore_metadata_errors=False)
    assert set(card.data.to_dict()) == {"library_name", "pipeline_tag", "license", "license_name", "tags"}
    assert card.data.license == "other"
    assert "<script>" not in re.sub(r"```.*?```", "", card.text, flags=re.DOTALL).replace(r"\<script", "")
    assert "\x1b" not in text
    (code,) = re.findall(r"```python\n(.*?)\n```", text, flags=re.DOTALL)
    calls = [
        node.func.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    assert sorted(calls) == ["create_model", "load_state_dict"]
    assert len(ast.parse(code).body) == 4
