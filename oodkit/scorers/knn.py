"""Distance to the k-th nearest training image."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import State
from oodkit.scorers.common.neighbours import NeighbourScorer
from oodkit.stats import unit_rows


@dataclass
class Knn(NeighbourScorer):
    """−‖f̂ − f̂_(k)‖², f̂ = f / ‖f‖ and f̂_(k) the k-th nearest normalised training feature; in [−4, 0].

    Sun, Ming, Zhu and Li, ICML 2022, arXiv 2204.06507. Learns a bank of training features, float32.
    k: which neighbour; 50 under ``openood``; ``"paper"`` means 50 for up to 10 classes, 200 for up to 100, 1000 for more; clipped
    to the size of the bank. fraction: the share of the training images that the bank holds, drawn class by class, raised where
    it leaves fewer than k (with 1 % of ImageNet the paper takes k = 10); none takes all, or as many as 4 GiB hold, and says so:
    the whole of ImageNet takes 9.8 GiB at 2048 features. seed: of that draw, and of the index.
    index: ``exact`` searches the whole bank; ``ivf`` looks through lists of images around k-means centres, the nearest to the
    query. For banks of 100,000 images and more, and slower even there unless the features lie in clusters.
    recall: above 0 and at most 1; the share of the neighbours that ``ivf`` is to find, of 500 images of the bank, in as many lists
    as that takes: few where the features lie in clusters. The results tell the share as measured, 1 with ``exact``. It is
    smaller for OOD images, which lie in no cluster.

    Needs no logits, so label smoothing and mixup harm it least. Weak on near-OOD of ImageNet.
    """

    name = "knn"
    title = "Deep nearest neighbours"
    paper = "arXiv:2204.06507"
    uses = "features"
    presets: ClassVar = {"paper": {"k": "paper"}}
    grid: ClassVar = {"k": (50, 100, 200, 500, 1000)}

    k: int | Literal["paper"] = 50
    fraction: float | None = None
    seed: int = 0
    index: Literal["exact", "ivf"] = "exact"
    recall: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.k == "paper" or self.k >= 1, 'k of at least 1 or "paper"')

    def _fit(self, outputs: Outputs) -> State:
        return self.learn_bank(outputs, neighbours(self.k, outputs.num_classes))

    def caution(self, outputs: Outputs) -> str | None:
        if self.state is None:
            return None
        notes = super().caution(outputs), beyond_the_class(self.settings()["k"], len(self.state["bank"]), outputs.num_classes)
        return "; ".join(note for note in notes if note) or None

    def _score(self, chunk: Outputs) -> Tensor:
        queries = unit_rows(chunk.features)
        return 2 * self.largest_products(queries)[:, -1].double() - queries.double().square().sum(1) - 1


BEYOND = "the neighbour k ="  # how the caution begins


def beyond_the_class(k: int, bank: int, num_classes: int) -> str | None:
    """Why the k-th neighbour says nothing: there are no k images of a class, and it belongs to another. None where there are."""
    each = bank / num_classes
    if k <= each:
        return None
    remedy = f"with so small a bank take knn:k={int(each) // 2}" if each >= 2 else "give more training images"
    return f"{BEYOND} {k} lies beyond the {each:.3g} training images that a class has on average; {remedy}"


def doubt_in(notes: Iterable[str]) -> str | None:
    """Of what is noted of a scorer the part that says why its figures say nothing of it; None where none does."""
    parts = (part for note in notes for part in note.split("; "))
    return next((part for part in parts if part.startswith(BEYOND)), None)


def neighbours(k: int | Literal["paper"], num_classes: int) -> int:
    """Which neighbour is looked at; of ``"paper"`` the paper's values for CIFAR-10, CIFAR-100 and ImageNet."""
    if k != "paper":
        return k
    if num_classes <= 10:
        return 50
    return 200 if num_classes <= 100 else 1000
