"""What a training goes on from: one safetensors file with the weights, their average, the optimiser's state and the step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch.optim import Optimizer

from oodkit.training.averaging import Average
from oodkit.training.learner import Learner

LAST, BEST = "last.safetensors", "best.safetensors"


@dataclass
class State:
    """What changes from step to step. step: the steps done. best: the accuracy on validation images of the best epoch so far."""

    learner: Learner
    optimizer: Optimizer
    average: Average | None = None
    step: int = 0
    best: float | None = None

    @property
    def trained(self) -> Learner:
        """The learner to use: the average, where there is one."""
        return self.learner if self.average is None else self.average.learner


class Checkpoints:
    """``last.safetensors`` of a run's folder. save_best: writes the network of a learner as ``best.safetensors``, a plain checkpoint."""

    def __init__(self, folder: Path, *, save_best: Callable[[Learner, Path], object] | None = None) -> None:
        self.folder, self._save_best = folder, save_best

    def save(self, state: State) -> None:
        """Write the state, whole or not at all. Raises TrainingError, and keeps the file that is there, where weights are not finite."""

    def save_best(self, state: State) -> None:
        """Write the trained network alone."""

    def load(self, state: State) -> None:
        """Bring the state, in place, to what was saved last; leave it as it is where nothing was. Raises CheckpointError."""
