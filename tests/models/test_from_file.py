"""Checkpoint files whose metadata are wrong; what right ones do is promised in ``tests/test_classifier.py``."""

import re
import zipfile
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from oodkit.classifier import load_classifier
from oodkit.errors import CheckpointError, ModelNotFoundError, UsageError
from oodkit.models import from_file
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


@pytest.mark.parametrize("name", ["n" * 300, f"{'n' * 300}.safetensors", f"local-dir:{'n' * 300}"])
def test_a_name_that_is_longer_than_any_files_is_that_of_no_model(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"^can't open n+.*: File name too long; check the path, and whether"):
        load_classifier(name)


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


def test_the_share_of_the_side_that_a_file_says_is_that_of_a_torchvision_network_too(tmp_path: Path) -> None:
    """224 of 256 pixels by torchvision's own transform, 224 of 280 where the file says 0.8."""
    path = tmp_path / "net.safetensors"
    net = torchvision.models.get_model("shufflenet_v2_x0_5", num_classes=2)
    for words, resized in (({}, 256), ({"crop_pct": "0.8"}, 280), ({"crop_pct": "0.8", "input_size": "64"}, 80)):
        save_file(net.state_dict(), path, {"architecture": "torchvision:shufflenet_v2_x0_5", **words})
        assert load_classifier(str(path)).preprocessing["resize_size"] == resized


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


def test_what_a_file_may_make_the_memory_hold_is_bounded(tmp_path: Path) -> None:
    """By its metadata alone; what the user says goes."""
    path = tmp_path / "a.safetensors"
    for words, message in (
        ({"num_classes": "1000000000"}, "has num_classes=1000000000, and no parameter has so many rows"),
        ({"model_args": '{"num_classes": 4000000}'}, "has num_classes=4000000, and no parameter has so many rows"),
        ({"input_size": "[3, 30000, 30000]"}, r"says that its images are \(3, 30000, 30000\), and a file decides on 2048 a side"),
        ({"model_args": '{"layers": [1000000000, 1, 1, 1]}'}, r"has 1e\+09 in model_args, and a file decides on 16384"),
        (
            {"model_args": '{"channels": [9000, 9000, 9000, 9000]}'},
            r"asks for a network of [\d,]{12,} parameters, and its weights have at most [\d,]+$",
        ),
    ):
        with pytest.raises(CheckpointError, match=message):
            load_classifier(saved(path, **words))
    assert load_classifier(saved(path, input_size="9999"), input_size=32).input_size == (3, 32, 32)


def test_a_way_to_resize_that_there_is_none_of_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has interpolation='cubist', expected one of bicubic, bilinear, box"):
        load_classifier(saved(tmp_path / "a.safetensors", interpolation="cubist"))


def test_a_mean_for_other_channels_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"can't prepare images with \{'mean': \(0.1, 0.2\)\}: expected a mean and a std for each"):
        load_classifier(saved(tmp_path / "a.safetensors", mean="[0.1, 0.2]"))


def test_values_are_quoted_in_short_and_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_classifier(saved(tmp_path / "a.safetensors", class_names="\x1b[2J" * 999))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


class TestPickles:
    def test_an_archive_with_a_damaged_directory_is_refused_or_read(self, tmp_path: Path) -> None:
        """zipfile, with which it is looked for programs, raises BadZipFile and others; PyTorch forgives some of it."""
        path = tmp_path / "a.pth"
        torch.save(timm.create_model("test_resnet", num_classes=2).state_dict(), path)
        whole, refused = path.read_bytes(), 0
        for damaged in (whole.replace(b"PK\x01\x02", b"PK\x01\x07"), whole.replace(b"data.pkl", b"dat\x85\xff\xfekl")):
            path.write_bytes(damaged)
            try:
                load_classifier(str(path), arch="test_resnet", input_size=32)
            except CheckpointError as error:
                refused += str(error).startswith(f"can't read {path}: it is damaged or no PyTorch checkpoint")
        assert refused

    def test_an_archive_that_is_larger_than_its_file_is_refused(self, tmp_path: Path) -> None:
        """PyTorch would unpack it: 100 kB can be 100 MB."""
        path, small = tmp_path / "a.pth", tmp_path / "small.pth"
        torch.save({"fc.weight": torch.zeros(1000, 100)}, path)
        with zipfile.ZipFile(path) as whole, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in whole.namelist():
                packed.writestr(name, whole.read(name))
        with pytest.raises(
            CheckpointError, match=r"small\.pth is compressed and may fill the memory, .*; write it with torch\.save$"
        ):
            load_classifier(str(small), arch="test_resnet")

    def test_names_of_parameters_are_no_control_codes(self, tmp_path: Path) -> None:
        state = timm.create_model("test_resnet", num_classes=2).state_dict()
        torch.save({**state, "\x1b[31m" * 99: torch.zeros(1)}, tmp_path / "a.pth")
        with pytest.raises(CheckpointError, match=r"1 are unexpected \(\\x1b\[31m") as caught:
            load_classifier(str(tmp_path / "a.pth"), arch="test_resnet")
        assert len(str(caught.value)) < 300

    def test_one_number_is_no_head_of_a_million_classes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        net, built = timm.create_model("test_resnet", num_classes=2), []
        state = {**net.state_dict(), "fc.weight": torch.zeros(1).expand(10**6, net.num_features)}
        torch.save(state, tmp_path / "a.pth")
        build = from_file.build
        monkeypatch.setattr(
            from_file, "build", lambda kind, options, classes: built.append(classes) or build(kind, options, classes)
        )
        with pytest.raises(CheckpointError, match="does not fit"):
            load_classifier(str(tmp_path / "a.pth"), arch="test_resnet")
        assert max(built) < 10**6


def states(*names: str) -> dict[str, object]:
    """As many states of one network, of weights that tell them apart, by these names."""
    shape = timm.create_model("test_resnet", num_classes=2).state_dict()
    return {name: {key: torch.full_like(value, 1 + number) for key, value in shape.items()} for number, name in enumerate(names)}


@pytest.mark.parametrize(
    ("stored", "weight", "told"),
    [
        (states("state_dict", "state_dict_ema"), 2, "net.pth holds state_dict_ema and state_dict; taken: state_dict_ema"),
        (states("model", "ema"), 1, "net.pth holds model and ema; taken: model"),
        (states("ema\x1b[31m", "model"), 2, "net.pth holds model and ema\\x1b[31m; taken: model"),
        (
            {"epoch": 3, "checkpoint": 1, "model": states("weights", "net", "params")},
            2,
            "net.pth holds net, weights and params; taken: net",
        ),
        ({**states("state_dict"), "model": {"depth": 50}, "params": {"lr": 0.1}, "model_ema": {"decay": 0.9}}, 1, None),
        (states("state_dict"), 1, None),
        (states("net")["net"], 1, None),
    ],
)
def test_of_several_states_it_is_told_which_was_taken(tmp_path, stored, weight, told):
    """What has a state's name and holds no weights is none."""
    torch.save(stored, tmp_path / "net.pth")
    model = load_classifier(str(tmp_path / "net.pth"), arch="test_resnet", input_size=32)
    assert (float(model.head.weight[0, 0]), model.about.get("taken")) == (weight, told)
