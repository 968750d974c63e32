"""Accuracy and loss on validation images against arithmetic: of the images that have a class and can be read."""

import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from oodkit.errors import ImageSetError, OodkitError
from oodkit.images import open_images
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.interruption import Terminated
from oodkit.training.learner import Learner
from oodkit.training.log import read_epochs
from oodkit.training.processes import join_processes
from oodkit.training.recipes import make_recipe
from oodkit.training.recipes.v1 import V1
from oodkit.training.validation import Validation

from .toy_run import STEPS, train

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0], [1.0, 0.0]])


class ByGrey(nn.Module):
    """The grey value of an image is the row of its logits."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.drop = nn.Linear(1, 1), nn.Dropout(0.9)

    def forward(self, images):
        return self.drop(LOGITS[(images[:, 0, 0, 0] * 255).round().long()])


def to_tensor(image):
    return torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1) / 255


@pytest.fixture
def greys(tmp_path):
    for i in range(4):
        Image.fromarray(np.full((2, 2, 3), i, dtype=np.uint8)).save(tmp_path / f"{i}.png")
    return tmp_path


def validated(folder, labels, recipe=None, **more):
    recipe = recipe or make_recipe("v1")
    given = {"accelerator": join_processes(device="cpu"), "batch_size": 3, "workers": 0, **more}
    learner = Learner(ByGrey(), "head", 1, nn.Module(), recipe.loss).train()
    found = Validation(open_images(str(folder)), labels, to_tensor, recipe, **given)(learner)
    assert learner.training
    return found


def test_accuracy_and_mean_cross_entropy(greys):
    found = validated(greys, [0, 0, 1, 1])
    right = [2.0, 0.0, 3.0, 0.0]
    losses = [torch.logsumexp(LOGITS[i], 0).item() - right[i] for i in range(4)]
    assert found.accuracy == 0.5
    assert found.loss == pytest.approx(sum(losses) / 4, rel=1e-6)


def test_images_without_a_class_and_such_as_cannot_be_read_do_not_count(greys):
    (greys / "2.png").write_bytes(b"no image")
    assert validated(greys, [0, -1, 1, 1]).accuracy == 0.5


def test_a_recipe_that_predicts_in_its_own_way_is_asked_and_has_no_loss(greys):
    class Contrary(V1):
        def predict(self, learner, images):
            return learner.logits(images).argmin(1)

    found = validated(greys, [0, 0, 1, 0], Contrary())
    assert (found.accuracy, found.loss) == (0.25, None)


def test_where_no_image_has_a_class_or_can_be_read_it_says_so(greys):
    with pytest.raises(ImageSetError, match=r"none of the images of .* is of a class that is learned; choose another --val"):
        validated(greys, [-1, -1, -1, -1])
    for path in greys.iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(ImageSetError, match=r"no image of .* can be read, so nothing can be validated; choose another --val"):
        validated(greys, [0, 0, 1, 1])


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_while_images_are_judged_saves_the_epoch_and_says_so(tmp_path, signals):
    """The first reaches the processes that decode as well, which die of it; a second ends the judging at once."""

    def judge(_learner):
        for _ in range(signals):
            os.kill(os.getpid(), signal.SIGTERM)
        raise OodkitError("a process that decodes images died")

    with pytest.raises(
        Terminated, match=rf"^interrupted after step {STEPS} \(epoch 1\) of 15: saved in .*; the same command goes on"
    ):
        train(tmp_path, evaluate=judge)
    assert Checkpoints(tmp_path).step() == STEPS
    assert [line["val_accuracy"] for line in read_epochs(tmp_path)] == [None]
