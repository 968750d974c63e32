"""Every class of error has an example on the page of errors, and the code raises it in exactly those words."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import oodkit
from oodkit import errors
from oodkit.atomic import write_atomically
from oodkit.heads import find_head
from oodkit.images.decode import decode
from oodkit.synth.base import Request
from oodkit.synth.from_python import Called
from oodkit.training.checkpoints import Checkpoints

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
CLASSES = {name: one for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, errors.OodkitError)}
OUTPUTS = oodkit.Outputs(torch.eye(4), torch.arange(4), logits=torch.eye(4))
ON_THE_PAGE = dict(re.findall(r"^\| `(\w+)` \| `(.+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def full_disk() -> None:
    def write(path: Path) -> None:
        raise OSError(28, "No space left on device")

    write_atomically(Path("head.safetensors"), write)


def web_page_for_weights() -> None:
    Path("resnet18.pth").write_text("<!DOCTYPE html>")
    oodkit.load_classifier("resnet18.pth", arch="resnet18")


def empty_image() -> None:
    Path("cat.png").touch()
    decode("cat.png")


def loss_that_is_not_finite() -> None:
    Checkpoints(Path("runs/v1")).save(SimpleNamespace(step=310, finite=lambda: False))


def generator_of_the_users_own() -> None:
    Path("mine.py").write_text("def images(classes, seeds):\n    return {}['weights']\n")
    Called("py:mine.py:images").generate([Request(None, 0, 0)])


PROVOKED: dict[str, Callable[[], object]] = {
    "OodkitError": full_disk,
    "UsageError": lambda: oodkit.make_scorer("knnn"),
    "InputError": lambda: oodkit.auroc([0.2, float("nan"), 0.7], [0.1]),
    "ModelNotFoundError": lambda: oodkit.load_classifier("demo:digits-v3"),
    "CheckpointError": web_page_for_weights,
    "UnsupportedModelError": lambda: find_head(nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Softmax(dim=1)), (3, 2, 2)),
    "UnreadableImageError": empty_image,
    "ImageSetError": lambda: oodkit.open_images("imagenet/val"),
    "OutputsError": lambda: oodkit.Head.load("head.safetensors"),
    "TrainingError": loss_that_is_not_finite,
    "GeneratorError": generator_of_the_users_own,
    "NotFittedError": lambda: oodkit.make_scorer("knn").score(OUTPUTS),
    "NotApplicableError": lambda: oodkit.make_scorer("react").fit(OUTPUTS),
}


@pytest.mark.parametrize("name", CLASSES)
def test_it_is_raised_in_the_words_of_the_page(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.OodkitError) as caught:
        PROVOKED[name]()
    assert type(caught.value) is CLASSES[name]
    assert str(caught.value) == ON_THE_PAGE[name]


def test_the_page_has_no_error_that_is_gone():
    assert list(ON_THE_PAGE) == re.findall(r"\w+Error\b", errors.__doc__.partition("\n\n")[2]), "in the order of the tree"
    assert ON_THE_PAGE.keys() == CLASSES.keys()
