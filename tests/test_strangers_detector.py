"""A stranger's detector file: it runs no code, may ask little of the network, and what is crafted in it is one line."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from oodkit.detector import Detector
from oodkit.errors import CheckpointError, InputError, OutputsError
from oodkit.models.untrusted import stored_source

from .detectors import crafted, detector_of


def test_it_never_runs_code(demo, tmp_path, monkeypatch):
    """Neither by a py: name, nor by what stands beside it."""
    monkeypatch.chdir(tmp_path)
    Path("evil.py").write_text("open('ran', 'w').close()\ndef net(): pass\n")
    detector_of(demo).save("d.safetensors")
    for name in ("py:evil:net", "py:evil.py:net", f"py:{tmp_path}/evil.py:net"):
        with pytest.raises(InputError, match=f"its network {name} is made by running code, which a file does not start; give "):
            Detector.load(crafted(Path("d.safetensors"), source={"name": name}))
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "names no network"),
        ({}, "names no network"),
        ([1], "names no network"),
        ({"name": 7}, "names no network"),
        ({"name": "a\x1b[31m\nb"}, r"the name of its network is none: 'a\\\\x1b\[31m\\\\nb'"),
        ({"name": "x" * 100_000}, "the name of its network is none"),
        ({"name": ""}, "the name of its network is none"),
        ({"name": "resnet18", "model_args": {"checkpoint_path": "evil.pth"}}, "built with 'model_args', which a file does not"),
        ({"name": "resnet18", "checkpoint": "evil.pth"}, "built with 'checkpoint', which a file does not decide"),
        ({"name": "resnet18", "allow_pickle": True}, "built with 'allow_pickle', which a file does not decide"),
        ({"name": "demo:digits-v2", "input_size": [3, 9000, 9000]}, "decides on at most 1024 pixels a side"),
        ({"name": "demo:digits-v2", "input_size": [3, 32]}, "its network is out of reach|has|takes|can't"),
        ({"name": "demo:digits-v2", "input_size": "huge"}, "has input_size='huge', expected a whole number"),
        ({"name": "demo:digits-v2", "mean": [1e999]}, r"has mean=\[inf\], expected a list of numbers"),
        ({"name": "demo:digits-v2", "num_classes": 10**9}, "has 1000000000 classes and its head 8"),
        ({"name": "weights.pth", "arch": ["resnet18"]}, r"has arch=\['resnet18'\], expected a name"),
        ({"name": "torchvision:resnet18/../../x"}, "torchvision has no weights"),
        ({"name": "resnet18.no_such_tag"}, "timm has no weights"),
        ({"name": "ftp://example.org/x"}, "its scheme is none of"),
        ({"name": "local-dir:/no/such/folder"}, "expected a folder with config.json and weights"),
        ({"name": f"{'y' * 300}.safetensors"}, "its network"),
        ({"name": "demo:digits-v1"}, "the weights of demo:digits-v1 are others"),
    ],
)
def test_what_it_may_ask_for_is_little(demo, tmp_path, source, message):
    detector_of(demo).save(tmp_path / "d.safetensors")
    path = crafted(tmp_path / "d.safetensors", source=json.dumps(source))
    with pytest.raises(InputError, match=message) as caught:
        Detector.load(path)
    assert str(caught.value).isprintable()


def test_only_what_load_classifier_needs_passes(tmp_path):
    source = {"name": "a.pth", "arch": "resnet18", "num_classes": 5, "input_size": [3, 224, 224], "mean": [0, 0, 0]}
    assert stored_source(source, 5, tmp_path / "d.safetensors") == source


@pytest.mark.parametrize("kept", ["pytorch_model.bin", "model.safetensors"])
def test_of_the_hub_it_takes_safetensors_alone(monkeypatch, tmp_path, kept):
    from huggingface_hub.errors import EntryNotFoundError

    def download(repository, file, revision=None):
        assert (repository, revision) == ("me/net", "v1")
        if file != kept:
            raise EntryNotFoundError("404")
        return str(tmp_path / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr("timm.models.load_model_config_from_hf", lambda name: ({}, "resnet18", {}))
    monkeypatch.setattr("oodkit.models.reach.is_within_reach", lambda url: True)
    source = {"name": "hf-hub:me/net@v1"}
    if kept.endswith("bin"):
        with pytest.raises(CheckpointError, match=r"its network hf-hub:me/net@v1 has no model\.safetensors"):
            stored_source(source, 5, tmp_path / "d.safetensors")
    else:
        assert stored_source(source, 5, tmp_path / "d.safetensors") == source


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"alpha": 7.0}, "alpha, the share of ID images that may be rejected, lies above 0 and below 1, got 7.0"),
        ({"alpha": "0.05e"}, "lacks or spoils"),
        ({"alpha": None}, "lacks or spoils 'alpha'"),
        ({"alpha": "[" * 100_000}, "lacks or spoils"),
        ({"calibration_dtype": "int8"}, "lacks or spoils"),
        ({"calibration_dtype": '"int8"'}, "no dtype 'int8'"),
        ({"calibration_dtype": '"' + "\x1b" * 9999 + '"'}, "lacks or spoils"),
        ({"calibration_dtype": '"' + "x" * 9999 + '"'}, "no dtype 'x{40}'"),
        ({"weights": 5}, "lacks or spoils weights, which is a int"),
        ({"preprocessing": [1]}, "lacks or spoils preprocessing, which is a list"),
        ({"classes": ["one"]}, "it names 1 classes, and its head has 8"),
        ({"scorer": "of-tomorrow"}, "unknown scorer: 'of-tomorrow'"),
        ({"scorer": "odin", "learnt": "null", "learnt_shape": "null", "settings": "{}"}, "has not learnt, or runs the network"),
        ({"learnt": "null", "learnt_shape": "null"}, "its scorer knn has not learnt"),
        ({"learnt_shape": [5, 8]}, r"its scorer learnt from \(5, 8\) features and classes, not from its head's"),
        ({"learnt": ["bank", "k", "none"]}, "its metadata is not as it must be: 'none'"),
        ({"settings": {"k": "many"}}, "knn:k takes a whole number or paper"),
    ],
)
def test_words_that_make_no_sense_are_one_line(demo, tmp_path, words, message):
    detector_of(demo).save(tmp_path / "d.safetensors")
    with pytest.raises(OutputsError, match=message) as caught:
        Detector.load(crafted(tmp_path / "d.safetensors", **words), model=demo[0])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("name", "spoilt", "message"),
    [
        ("head.weight", lambda one: one * torch.nan, "its head holds what is no finite number"),
        ("head.weight", lambda one: one.long(), "its head holds what is no finite number"),
        ("head.weight", lambda one: one[:, :3].clone(), "learnt from .* features and classes, not from its head's"),
        ("head.bias", lambda one: one.to(torch.float8_e4m3fn), "its head holds what is no finite number"),
        ("calibration.scores", lambda one: one.to(torch.complex64), "scores are an array of real numbers, got ndarray"),
        ("head.bias", lambda one: one[:2].clone(), r"a head needs weight \(C, D\) and bias \(C,\)"),
        ("calibration.scores", lambda one: one * torch.nan, "calibration scores are finite, got 289 of 289 that are not"),
        ("calibration.scores", lambda one: one[:0].clone(), r"the scores of at least one ID image, \(n,\), got \(0,\)"),
        ("calibration.scores", lambda one: one.bfloat16(), "lacks or spoils"),
        ("scorer.bank", lambda one: one * torch.nan, "what knn has learnt does not fit together: it holds NaN"),
        ("scorer.bank", lambda one: one[:, :3].clone(), "what knn has learnt does not fit together"),
        ("scorer.k", lambda one: one + 0.5j, "what knn has learnt does not fit together"),
        ("scorer.k", lambda one: torch.ones(2), "what knn has learnt does not fit together"),
    ],
)
def test_tensors_that_make_no_sense_are_one_line(demo, tmp_path, name, spoilt, message):
    detector_of(demo).save(tmp_path / "d.safetensors")
    tensors = load_file(tmp_path / "d.safetensors")
    with pytest.raises(OutputsError, match=message) as caught:
        Detector.load(crafted(tmp_path / "d.safetensors", {name: spoilt(tensors[name])}), model=demo[0])
    assert "\n" not in str(caught.value)
