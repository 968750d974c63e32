"""``local-dir:`` of timm's: what a stranger may have written into its config.json is one line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import timm

from oodkit.classifier import load_classifier
from oodkit.errors import CheckpointError, OodkitError

CONFIG: dict[str, Any] = {"label_names": ["n1", "n2"], "label_descriptions": {"n1": "cat", "n2": "dog"}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timm") / "saved"
    timm.models.save_for_hf(
        timm.create_model("test_resnet", num_classes=2), folder, model_config=dict(CONFIG), safe_serialization=True
    )
    return folder


def told(folder: Path, document: Any) -> str:
    before = (folder / "config.json").read_text("utf-8")
    (folder / "config.json").write_text(json.dumps(document) if not isinstance(document, str) else document)
    try:
        with pytest.raises(OodkitError) as caught:
            load_classifier(f"local-dir:{folder}")
    finally:
        (folder / "config.json").write_text(before)
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 700
    return line


def described(folder: Path, **changes: Any) -> dict[str, Any]:
    document = json.loads((folder / "config.json").read_text("utf-8"))
    own = {key: changes.pop(key) for key in CONFIG if key in changes}
    return {**document, **own, "pretrained_cfg": {**document["pretrained_cfg"], **changes}}


@pytest.mark.parametrize("changed", [3, [1], "x", None])
def test_a_description_that_is_none_is_refused(saved, changed):
    told(saved, {**described(saved), "pretrained_cfg": changed, "architecture": changed})


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": 3},
        {"interpolation": "cubist"},
        {"label_names": [["n1"], "n2"]},
        {"label_descriptions": ["cat"]},
        {"\x1b[31m" * 99: 1},
    ],
)
def test_what_cannot_be_used_is_refused(saved, changes):
    told(saved, described(saved, **changes))


def test_images_that_would_fill_the_memory_are_refused(saved):
    line = told(saved, described(saved, input_size=[3, 40000, 40000]))
    assert line.endswith("says that its images are (3, 40000, 40000), and a file decides on 2048 a side; "
                         "where that is meant, say so: --input-size 40000")  # fmt: skip


FAR_MORE = r"asks for a network of [\d,]{12,} parameters, and its weights have at most [\d,]+"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 10**9, "model_args": {}}, FAR_MORE),
        ({"model_args": {"num_classes": 10**9}}, FAR_MORE),
        ({"model_args": {"channels": [9000] * 4}}, FAR_MORE),
        ({"model_args": {"layers": [10**9, 1, 1, 1]}}, r"has 1e\+09 in model_args, and a file decides on 16384"),
    ],
)
def test_a_network_that_would_fill_the_memory_is_refused(saved, changes, message):
    line = told(saved, described(saved) | changes)
    assert re.fullmatch(rf"config\.json of local-dir:{re.escape(str(saved))} {message}", line)


def test_what_is_no_json_is_refused(saved):
    for text in ("", "{", "[" * 99_999, "[]", "3"):
        told(saved, text)


def test_as_it_was_written_it_is_loaded(saved):
    assert load_classifier(f"local-dir:{saved}").class_names == ("cat", "dog")
    assert issubclass(CheckpointError, OodkitError)
