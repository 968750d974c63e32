"""Distance to the decision boundaries."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.stats import mean_feature

SAME_WEIGHTS = 1e-12  # of the squared lengths: a difference in the seventh digit is float32's rounding
ROWS = 1024  # classes whose distances from all others are made at a time


@dataclass
class Fdbd(Scorer):
    """(1 / ‖f − μ‖) Σ_{c≠ŷ} (z_ŷ − z_c) / ‖w_ŷ − w_c‖: how far it is to the other classes, for an image so far from the mean. ≥ 0.

    Liu and Qin, ICML 2024, arXiv 2312.11536; litianliu/fDBD-OOD, run_cifar.py (the paper divides by C − 1 too, which orders the
    images alike). μ is the mean feature of the ID training images; learns it and the (C, C) distances of the weight rows.
    normaliser: ``distance``, ‖f − μ‖, or ``norm``, ‖f‖ (OpenOOD's other choice).

    Two classes with the same weights have no boundary between them and add nothing. An image at the mean itself (or, under
    ``norm``, one without any feature) gets 0, the lowest score. OpenOOD needs a network with a layer named fc; any head serves
    here. Fails where the network takes an OOD image for a class as confidently as an ID one: it is made of differences of logits.
    """

    name = "fdbd"
    title = "fDBD"
    paper = "arXiv:2312.11536"
    uses = "both"
    grid: ClassVar = {"normaliser": ("distance", "norm")}
    fits_on = "train"

    normaliser: Literal["distance", "norm"] = "distance"

    def __post_init__(self) -> None:
        self.require(self.normaliser in ("distance", "norm"), "normaliser distance or norm")

    def _fit(self, outputs: Outputs) -> State:
        weight = self.head_of(outputs).weight.to(outputs.device).double()
        return {"mean": mean_feature(outputs), "inverse": _inverse_distances(weight)}

    def _score(self, chunk: Outputs) -> Tensor:
        logits, features = chunk.logits.double(), chunk.features.double()
        largest, predicted = logits.max(1)
        inverse = self.learnt("inverse", logits)[predicted]
        total = ((largest[:, None] - logits) * inverse).sum(1)
        centre = self.learnt("mean", features) if self.normaliser == "distance" else 0
        length = torch.linalg.vector_norm(features - centre, dim=1)
        return torch.where(length == 0, 0, total / length)


def _inverse_distances(weight: Tensor) -> Tensor:
    """(C, C) of 1 / ‖w_a − w_b‖, 0 where the rows are the same, as on the diagonal.

    Some rows at a time: of 21,841 classes it is 3.6 GiB, and each step on the way would take as much again.
    """
    squares = weight.square().sum(1)
    inverse = weight.new_empty(len(weight), len(weight))
    for own, square, found in zip(*(torch.split(one, ROWS) for one in (weight, squares, inverse)), strict=True):
        lengths = square[:, None] + squares
        distances = lengths - 2 * own @ weight.mT
        found.copy_(torch.where(distances > SAME_WEIGHTS * lengths, distances.clamp(min=0).rsqrt(), 0))
    return inverse
