"""A training of seconds, on the demo's digits."""

import json

from oodkit import open_images
from oodkit.tensor_file import load_stored
from oodkit.training.run import train

STEPS = 3  # an epoch
HOW = {"input_size": 32, "epochs": 3, "batch_size": 16, "device": "cpu", "workers": 0}
NETWORK = "test_resnet"


def digits(split="train", limit=48):
    return open_images(f"demo:digits:{split}", limit=limit)


def trained(folder, recipe="v1", **changes):
    """The classifier that came of it. changes: of the arguments of ``train``."""
    given = {"val": digits("val", 24), **HOW, **changes}
    return train(given.pop("arch", NETWORK), given.pop("data", None) or digits(), output=folder, recipe=recipe, **given)


def tensors(path):
    return load_stored(path, "a file")[0]


def assert_same_weights(one, other):
    found, expected = tensors(one), tensors(other)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert tensor.equal(expected[name]), name


def said(folder):
    return json.loads((folder / "training.json").read_text("utf-8"))
