"""What a training from a checkpoint is held against: the checkpoint itself, on the same validation images."""

from types import SimpleNamespace

import pytest
import torch

import oodkit
from oodkit import open_images
from oodkit.errors import TrainingError
from oodkit.outputs import Outputs
from oodkit.training.folder import read_run
from oodkit.training.log import Log
from oodkit.training.settings import Settings
from oodkit.training.starting import accuracy_at_start, harm_done, judge_start

from .small import assert_same_weights, digits, trained


def test_an_image_lost_by_chance_is_no_harm():
    """1 of 289 lies outside the interval of 289 of 289, and a fair coin tossed once tells nothing."""
    right = torch.eye(2)[torch.ones(289, dtype=torch.long)]

    def caution(lost):
        logits = right.clone()
        logits[:lost] = logits[:lost].flip(1)
        before, after = (Outputs(one, torch.ones(289, dtype=torch.long), logits=one) for one in (right, logits))
        val = SimpleNamespace(images=SimpleNamespace(spec="val"))
        return harm_done(SimpleNamespace(val=val, settings=Settings(flip=False)), before, after)

    assert (caution(1), caution(5)) == ("", "")
    assert caution(6) == "the accuracy on val fell from 100.0 % to 97.9 %: try a lower --lr than 0.1"


def test_of_an_attempt_that_saved_nothing_no_accuracy_is_left(tmp_path):
    """It was finetuned, and its loss was NaN in the first step; what is begun there now starts from nothing."""
    Log(tmp_path).write({"epoch": 0, "step": 0, "val_accuracy": 0.75})
    assert accuracy_at_start(tmp_path) == 0.75
    judge_start(SimpleNamespace(start=None, val=None), tmp_path, Log(tmp_path), device="cpu", workers=0, say=print)
    assert accuracy_at_start(tmp_path) is None


def test_what_is_judged_before_the_first_step_changes_no_weight(tmp_path):
    """GODIN's confidence begins with random weights."""
    start = oodkit.load_classifier("demo:digits-v1")
    for name, val in (("judged", digits("val", 16)), ("not judged", None)):
        trained(tmp_path / name, "godin", arch=start, data=digits(limit=16), val=val, input_size=None, epochs=1, batch_size=8)
    assert [accuracy_at_start(tmp_path / name) is None for name in ("judged", "not judged")] == [False, True]
    assert_same_weights(*(tmp_path / name / "last.safetensors" for name in ("judged", "not judged")))


def test_of_an_attempt_that_saved_nothing_no_unreadable_image_is_told(tmp_path, image_folder):
    """As where it is begun again with other images."""
    broken, whole = image_folder("broken", each=8), image_folder("whole", each=8)
    for path in (broken / "cat").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(TrainingError, match="the loss became"):
        trained(tmp_path / "run", data=open_images(broken), val=None, epochs=1, batch_size=12, lr=1e30)
    assert read_run(tmp_path / "run")["unreadable"]
    trained(tmp_path / "run", data=open_images(whole), val=None, epochs=1, batch_size=12)
    assert read_run(tmp_path / "run")["unreadable"] == {}
