"""The average of the weights over the steps of a training (EMA), which then is the trained network."""

from collections.abc import Mapping

from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from oodkit.training.learner import Learner

EVERY = 32  # steps between two updates at most, as in torchvision's recipes
WINDOWS = 2e-5 * 1_281_167  # of the average in one training: torchvision's decay of 0.99998 an image, on ImageNet's training images


class Average:
    """An exponential moving average of a learner's weights and buffers. learner: the average, a copy in evaluation mode.

    average ← decay · average + (1 − decay) · weights, every ``every`` steps; decay = 1 − min(1, WINDOWS · every / total_steps).
    On ImageNet this is torchvision's rule (references/classification/train.py), 1 − min(1, (1 − 0.99998) · images a step · 32 /
    epochs), which leaves out how many training images there are as if it were always that many. On CIFAR the average would keep a
    third of the first weights to the end, on smaller sets nearly all; so the number is put back in, and short trainings update it
    more often.
    """

    def __init__(self, learner: Learner, *, total_steps: int, warmup_steps: int = 0) -> None:
        window = total_steps / WINDOWS
        self.every = max(1, min(EVERY, int(window / 4)))
        self.decay = 1 - min(1.0, self.every / window)
        self._warmup_steps = warmup_steps
        rule = get_ema_multi_avg_fn(self.decay)  # type: ignore[no-untyped-call]  # torch has no types there
        self._averaged = AveragedModel(learner, multi_avg_fn=rule, use_buffers=True).eval()

    def state_dict(self) -> dict[str, Tensor]:
        """The average and how many weights it has taken in."""
        return self._averaged.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._averaged.load_state_dict(state)

    @property
    def learner(self) -> Learner:
        averaged = self._averaged.module
        assert isinstance(averaged, Learner)
        return averaged

    def update(self, learner: Learner, step: int) -> None:
        """Take in the weights after step ``step``, from 0. While the learning rate rises they are copied, as torchvision does."""
        if step % self.every:
            return
        if step < self._warmup_steps:
            self._averaged.n_averaged.zero_()
        self._averaged.update_parameters(learner)
