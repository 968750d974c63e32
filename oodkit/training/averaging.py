"""The average of the weights over the steps of a training (EMA), which then is the trained network."""

from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from oodkit.training.learner import Learner

EVERY = 32  # steps between two updates at most, as in torchvision's recipes
WINDOWS = 2e-5 * 1_281_167  # of the average in one training: torchvision's decay of 0.99998 an image, on ImageNet's training images


class Average:
    """An exponential moving average of a learner's weights and buffers. learner: the average, a copy in evaluation mode."""

    def __init__(self, learner: Learner, *, total_steps: int, warmup_steps: int = 0) -> None:
        window = total_steps / WINDOWS
        self.every = max(1, min(EVERY, int(window)))
        self.decay = 1 - min(1.0, self.every / window)
        self._warmup_steps = warmup_steps
        self._averaged = AveragedModel(learner, multi_avg_fn=get_ema_multi_avg_fn(self.decay), use_buffers=True).eval()

    @property
    def learner(self) -> Learner:
        learner: Learner = self._averaged.module
        return learner

    def update(self, learner: Learner, step: int) -> None:
        """Take in the weights after step ``step``, from 0. While the learning rate rises they are copied, as torchvision does."""
        if step % self.every:
            return
        if step < self._warmup_steps:
            self._averaged.n_averaged.zero_()
        self._averaged.update_parameters(learner)
