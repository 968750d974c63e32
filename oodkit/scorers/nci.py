"""Neural-collapse-inspired score."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.stats import mean_feature


@dataclass
class Nci(Scorer):
    """⟨w_ŷ, f − μ⟩ / ‖f − μ‖ + α ‖f‖₁: how closely the centred feature follows its class's weight, and its length.

    Liu and Qin, CVPR 2025, arXiv 2311.01479; litianliu/NCI-OOD. μ is the mean feature of the ID training images, learnt without
    labels. ⟨w_ŷ, f − μ⟩ is taken as z_ŷ − b_ŷ − ⟨w_ŷ, μ⟩.
    alpha: ≥ 0, the weight of the length; 1e-4. It depends on the scale and the number of the features, so a figure without it
    says little; pytorch-ood's 0 leaves the second term out.

    An image at the mean itself has no direction, and its first term is 0. OpenOOD needs a network with a layer named fc; any
    head serves here. Fails where the features have not collapsed towards the weights, which is what it builds on.
    """

    name = "nci"
    title = "NCI"
    paper = "arXiv:2311.01479"
    uses = "both"
    grid: ClassVar = {"alpha": (1e-4, 1e-3, 1e-2, 1e-1)}
    fits_on = "train"

    alpha: float = 1e-4

    def __post_init__(self) -> None:
        self.require(self.alpha >= 0, "alpha of at least 0")

    def _fit(self, outputs: Outputs) -> State:
        head, mean = self.head_of(outputs).to(outputs.device), mean_feature(outputs)
        return {"mean": mean, "offsets": head.weight.double() @ mean + head.bias.double()}

    def _score(self, chunk: Outputs) -> Tensor:
        features = chunk.features.double()
        largest, predicted = chunk.logits.double().max(1)
        projection = largest - self.learnt("offsets", largest)[predicted]
        length = torch.linalg.vector_norm(features - self.learnt("mean", features), dim=1)
        return torch.where(length == 0, 0, projection / length) + self.alpha * features.abs().sum(1)
