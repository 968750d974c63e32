"""What a training from a checkpoint is held against: the checkpoint itself, on the same validation images."""

from types import SimpleNamespace

import torch

from oodkit.outputs import Outputs
from oodkit.training.settings import Settings
from oodkit.training.starting import harm_done


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
