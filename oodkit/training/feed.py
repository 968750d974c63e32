"""The batches of a training run, decoded and augmented in worker processes while the network learns."""

from collections.abc import Iterator

from oodkit.training.augment import TrainTransform
from oodkit.training.batch import Batch
from oodkit.training.draws import Draws
from oodkit.training.pools import Pool


class Feed:
    """What each step learns from, by the number of the step: the images that ``draws`` names, as ``transform`` shows them.

    unreadable: the images that could not be read in this process's batches, by set and name, and why.
    """

    def __init__(
        self, real: Pool, transform: TrainTransform, draws: Draws, *, synthetic: Pool | None = None, outliers: Pool | None = None
    ) -> None:
        self.draws, self.unreadable = draws, dict[str, str]()

    def batches(self, start_step: int, stop_step: int, *, workers: int | None = None, pin_memory: bool = False) -> Iterator[Batch]:
        """The batches of steps ``start_step`` to ``stop_step`` − 1, on the CPU, from one set of worker processes."""
        raise NotImplementedError
