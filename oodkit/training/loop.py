"""The training loop: one function for every recipe, on one process or several."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oodkit.training.batch import Batch
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.journal import Journal
from oodkit.training.learner import Learner
from oodkit.training.settings import Settings

if TYPE_CHECKING:
    from accelerate import Accelerator

LOG_EVERY = 50  # steps


@dataclass(frozen=True)
class Validated:
    """What a learner achieves on validation images. loss: None where its logits are not the classes' alone."""

    accuracy: float
    loss: float | None


@dataclass(frozen=True)
class Reached:
    """How far a training is. step of total: the steps done. images_per_second: of all processes, since the training went on. loss,
    accuracy: of the epoch so far, None before the first figures; val: of the last epoch that is over.
    """

    step: int
    total: int
    epoch: int
    epochs: int
    images_per_second: float
    loss: float | None = None
    accuracy: float | None = None
    val: Validated | None = None
    epoch_over: bool = False


def run(
    learner: Learner,
    batches: Callable[[int, int], Iterable[Batch]],
    settings: Settings,
    *,
    steps_per_epoch: int,
    accelerator: "Accelerator",
    checkpoints: Checkpoints | None = None,
    journal: Journal | None = None,
    evaluate: Callable[[Learner], Validated] | None = None,
    progress: Callable[[Reached], None] | None = None,
    log_every: int = LOG_EVERY,
) -> Learner:
    """Train, from the step that the checkpoint holds or from 0, and give the trained learner: the average of the weights with ``ema``.

    batches: gives those of steps start to stop, from 0, this process's part. evaluate: called after each epoch by every process.
    progress: called after each step. An interruption by SIGINT or SIGTERM ends the training after the step at hand: its state is
    saved, and a KeyboardInterrupt says where. So it is where the next batch can't be had.

    Raises TrainingError where the loss becomes infinite or nan, or the memory does not suffice; the last checkpoint is kept.
    """
    raise NotImplementedError
