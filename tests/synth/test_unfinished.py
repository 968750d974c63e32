"""What a synthesis leaves where it is stopped, training does not take for the whole."""

import pytest

from oodkit.errors import UsageError
from oodkit.images import open_images
from oodkit.synth.run import synthesize
from oodkit.training.plan import Sets, Shape, plan

from .stand_in import StandIn


class Stopped(StandIn):
    """By Ctrl-C, in its second batch."""

    def generate(self, requests):
        if self.asked:
            raise KeyboardInterrupt
        return super().generate(requests)


def planned(folder, real):
    given = {"epochs": 1, "batch_size": 8}
    return plan("test_resnet", Sets(real, synthetic=open_images(folder)), "v1", 0.5, Shape(input_size=32), given)


def test_training_refuses_a_synthesis_that_was_stopped_until_it_is_finished(tmp_path, image_folder):
    folder, real = tmp_path / "made", open_images(image_folder(classes=("cat", "owl", "x y")))
    with pytest.raises(KeyboardInterrupt):
        synthesize(Stopped(), folder, per_class=4, device="cpu")
    with pytest.raises(UsageError) as refused:
        planned(folder, real)
    assert str(refused.value) == f"{folder} is an unfinished synthesis, 4 of 12 images; the same oodkit synth command goes on"
    synthesize(StandIn(), folder, per_class=4, device="cpu")
    assert len(planned(folder, real).synthetic) == 8
