"""Checkpoint files whose metadata are wrong; what right ones do is promised in ``tests/test_classifier.py``."""

import re
from pathlib import Path

import pytest
import timm
from safetensors.torch import save_file

from oodkit.classifier import load_classifier
from oodkit.errors import CheckpointError
from oodkit.recipe_facts import recipe_of

WRONG = {
    "recipe": ['"strong"', "null", "[0.1]", '{"loss": 3}', '{"label_smoothing": "abc"}', '{"mixup": null}', '{"mixup": true}',
               '{"mixup": NaN}', '{"cutmix": -1}', '{"cutmix": [0.2]}'],
    "mean": ["0.5", '["half"]', "null", "[]"],
    "std": ["{}", "[true]"],
    "input_size": ['"large"', "[3, 32, 32, 1]", "0", "null"],
    "num_classes": ['"two"', "0", "true"],
    "crop_pct": ['"all"', "0"],
    "model_args": ["[1]"],
    "class_names": ["2"],
}  # fmt: skip


def saved(path: Path, **metadata: str) -> str:
    save_file(timm.create_model("test_resnet", num_classes=2).state_dict(), path, {"architecture": "test_resnet", **metadata})
    return str(path)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_metadata_that_mean_nothing_are_named(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(CheckpointError, match=rf"a\.safetensors has {key}={re.escape(repr(value))}, expected [^\n]+$"):
        load_classifier(saved(tmp_path / "a.safetensors", **{key: value}))


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ('{"loss": "focal", "mixup": "yes"}', "focal, mixup (stated: the checkpoint's own metadata)"),
        ('{"loss": "focal"}', "focal, rest unknown (stated: the checkpoint's own metadata)"),
        (
            '{"label_smoothing": 0, "mixup": 0.0, "cutmix": 0, "epochs": 3}',
            "unknown, no label smoothing, mixup or cutmix (stated: ",
        ),
        ("{}", "unknown"),
    ],
)
def test_recipes_that_a_file_may_state(tmp_path: Path, recipe: str, words: str) -> None:
    model = load_classifier(saved(tmp_path / "a.safetensors", recipe=recipe))
    assert str(recipe_of(model.name, model.about["recipe"])).startswith(words)


def test_a_size_may_be_one_number(tmp_path: Path) -> None:
    assert load_classifier(saved(tmp_path / "a.safetensors", input_size="48")).input_size == (3, 48, 48)


@pytest.mark.parametrize(
    ("words", "names", "ids"),
    [
        ({"class_names": '["a cat", "dog"]', "class_ids": '["n01", "n02"]'}, ("a cat", "dog"), ("n01", "n02")),
        ({"class_names": '["a cat", "dog"]'}, ("a cat", "dog"), ("a cat", "dog")),
        ({}, None, None),
    ],
)
def test_folders_may_be_named_otherwise_than_classes_are(tmp_path, words, names, ids):
    path = tmp_path / "net.safetensors"
    save_file(timm.create_model("test_resnet", num_classes=2).state_dict(), path, words)
    model = load_classifier(str(path), arch="test_resnet", input_size=32)
    assert (model.class_names, model.class_ids) == (names, ids)


def test_ids_of_the_classes_are_as_many_as_their_names(tmp_path):
    path = tmp_path / "net.safetensors"
    words = {"class_names": '["a", "b"]', "class_ids": '["n01"]'}
    save_file(timm.create_model("test_resnet", num_classes=2).state_dict(), path, words)
    with pytest.raises(CheckpointError, match="has 2 class_names and 1 class_ids, expected as many"):
        load_classifier(str(path), arch="test_resnet", input_size=32)
