"""Which scorers are as good as the best, as far as the images can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oodkit.delong import Placements, compare_paired
from oodkit.evaluation import Result, best_first

APART = 0.05  # a p-value up to this tells a scorer from the best


@dataclass(frozen=True)
class Rival:
    """A scorer beside the best: its mean AUROC minus that one's, with the 95 % interval of the paired DeLong test.

    p_value: two-sided, of no difference; not corrected for the number of scorers, nor for the best having been picked here.
    """

    scorer: str
    difference: float
    low: float
    high: float
    p_value: float

    @property
    def is_told(self) -> bool:
        """Whether the test tells it from the best."""
        return self.p_value <= APART


def rivals_of_the_best(rows: Sequence[Result], means: Mapping[str, Placements]) -> list[Rival]:
    """Every other scorer, the best first. rows, means: as ``results_and_placements`` makes them."""
    names = [row.scorer for row in best_first(rows)]
    found = [(name, compare_paired(means[name], means[names[0]])) for name in names[1:]]
    return [Rival(name, one.difference, one.low, one.high, one.p_value) for name, one in found]
