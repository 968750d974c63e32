"""The two shipped checkpoints are what docs/results.md says, read with plain timm and safetensors."""

import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors import safe_open

from oodkit import demo
from oodkit.demo.sets import open_demo_set

FILES = {name: Path(demo.__path__[0]) / f"digits-{name}.safetensors" for name in ("v1", "v2")}


def read(name):
    with safe_open(FILES[name], "pt") as file:
        return file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no mapping: it can't be iterated


def test_both_together_stay_below_4_mb():
    assert sum(path.stat().st_size for path in FILES.values()) < 4_000_000


@pytest.mark.parametrize(("name", "smoothing", "mixup", "cutmix"), [("v1", 0.0, 0.0, 0.0), ("v2", 0.1, 0.2, 1.0)])
def test_the_metadata_say_how_to_build_feed_and_name_the_network(name, smoothing, mixup, cutmix):
    facts, _ = read(name)
    assert facts["architecture"] == "timm:test_resnet"
    assert json.loads(facts["num_classes"]) == 8
    assert json.loads(facts["input_size"]) == [3, 32, 32]
    assert json.loads(facts["mean"]) == json.loads(facts["std"]) == [0.5, 0.5, 0.5]
    assert (facts["interpolation"], facts["crop_pct"]) == ("bilinear", "1.0")
    assert tuple(json.loads(facts["class_names"])) == open_demo_set("digits").class_names
    recipe = {"loss": "ce", "label_smoothing": smoothing, "mixup": mixup, "cutmix": cutmix, "name": name}
    assert json.loads(facts["recipe"]) == recipe


def test_the_two_differ_in_nothing_but_weights_and_recipe():
    first, second = read("v1")[0], read("v2")[0]
    assert {key for key in first | second if first.get(key) != second.get(key)} == {"recipe", "checksum"}


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_plain_timm_reaches_the_accuracy_of_the_results_page(name):
    """docs/results.md: 433 of 433 test images right, both; allowed here: half a point, that is two images."""
    facts, weights = read(name)
    net = timm.create_model(facts["architecture"].removeprefix("timm:"), num_classes=json.loads(facts["num_classes"])).eval()
    net.load_state_dict(weights)
    digits = open_demo_set("digits:test")
    images = (torch.from_numpy(digits.pixels).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.no_grad():
        right = (net(images).argmax(1) == torch.from_numpy(digits.labels)).sum().item()
    assert right >= 431
