"""Nearest-neighbour guidance of the energy."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import State
from oodkit.scorers.common.neighbours import NeighbourScorer
from oodkit.stats import unit_rows


@dataclass
class NNGuide(NeighbourScorer):
    """lse(z) · mean of the k largest ⟨f̂, g_i⟩ over a bank g_i = f̂_i · lse(z_i) of training images.

    Park, Jung and Teoh, ICCV 2023, arXiv 2309.14888; roomo7time/nnguide. Learns the bank, float32.
    k: how many neighbours; 100 under ``openood``, 10 under ``paper``; clipped to the size of the bank. fraction: the share of the
    training images that the bank holds; 0.01 under ``openood``, none, which is all of them or as many as 4 GiB hold, under
    ``paper``; raised where it leaves fewer than k images. seed: of the draw, which takes its share of every class whatever the
    order of the images (OpenOOD takes the first batches), and of the index. index, recall: as for ``knn``; ``ivf`` needs
    a larger fraction, and more lists, for images of large energy are among the largest products wherever they lie. The authors add
    ReAct at 95 for ResNet-50; that is left out here.

    Fails with the energy: label smoothing costs it 20 points on ResNet-50. A negative energy turns the product's sign.
    """

    name = "nnguide"
    title = "Nearest-neighbour guidance"
    paper = "arXiv:2309.14888"
    uses = "both"
    presets: ClassVar = {"paper": {"k": 10, "fraction": None}}

    k: int = 100
    fraction: float | None = 0.01
    seed: int = 0
    index: Literal["exact", "ivf"] = "exact"
    recall: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.k >= 1, "k of at least 1")

    def _fit(self, outputs: Outputs) -> State:
        return self.learn_bank(outputs, self.k, energy=True)

    def _score(self, chunk: Outputs) -> Tensor:
        products = self.largest_products(unit_rows(chunk.features))
        return chunk.logits.double().logsumexp(1) * products.double().mean(1)
