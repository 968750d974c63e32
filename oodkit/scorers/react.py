"""Rectified activations."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.percentiles import percentile
from oodkit.scorers.base import Scorer, State


@dataclass
class React(Scorer):
    """log Σ_c exp of the logits of features clipped from above: lse(min(f, c) Wᵀ + b), c a percentile of all ID activations.

    Sun, Guo and Li, NeurIPS 2021, arXiv 2111.12797.
    percentile: 0–100, over all entries of all features jointly. fits_on: ``openood`` takes the ID validation images, ``paper``
    the training images; both the 90th percentile.

    Other code uses 80, 95, 99 or a constant of 1, so a figure without its percentile says little. The gain varies from network
    to network; only the upper tail is touched, so features may be negative.
    """

    name = "react"
    title = "ReAct"
    paper = "arXiv:2111.12797"
    uses = "both"
    presets: ClassVar = {"paper": {"fits_on": "train"}}
    grid: ClassVar = {"percentile": (85.0, 90.0, 95.0, 99.0)}

    percentile: float = 90.0
    fits_on: Literal["train", "val"] = "val"

    def __post_init__(self) -> None:
        self.require(0 <= self.percentile <= 100, "a percentile between 0 and 100")

    def _fit(self, outputs: Outputs) -> State:
        self.head_of(outputs)
        return {"clip": torch.tensor(percentile(outputs, self.percentile), dtype=torch.float64)}

    def _score(self, chunk: Outputs) -> Tensor:
        clipped = chunk.features.minimum(self.learnt("clip", chunk.features))
        return self.head_of(chunk)(clipped).double().logsumexp(1)
