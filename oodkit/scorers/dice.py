"""Directed sparsification of the last layer."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.percentiles import percentile_of
from oodkit.scorers.base import Scorer, State
from oodkit.stats import mean_feature


@dataclass
class Dice(Scorer):
    """log Σ_c exp of the logits of a sparse head: lse(f (W∘M)ᵀ + b), M = 1 where a weight's contribution W∘μ is above a percentile.

    Sun and Li, ECCV 2022, arXiv 2111.09805, section 3. μ is the mean feature of the ID training images, so W∘μ (C, D) is what
    each weight adds to a logit on average. Learns that mean; reads no labels.
    percentile: 0–100, the share of all C · D weights that is dropped, over all classes jointly; 90 under ``openood`` (the
    authors' value for CIFAR), 70 under ``paper`` (theirs for ImageNet and ResNet-50).

    Deviation: OpenOOD keeps the masked weight of its first use, so that a percentile changed afterwards has no effect; here it
    counts from the next ``fit`` on. Fails on features that can be negative, whose mean says little of what each adds: Swin-T has
    48.48/60.44 (near/far AUROC) on OpenOOD's ImageNet leaderboard.
    """

    name = "dice"
    title = "DICE"
    paper = "arXiv:2111.09805"
    uses = "both"
    presets: ClassVar = {"paper": {"percentile": 70.0}}
    fits_on = "train"

    percentile: float = 90.0

    def __post_init__(self) -> None:
        self.require(0 <= self.percentile <= 100, "a percentile between 0 and 100")

    def _fit(self, outputs: Outputs) -> State:
        weight = self.head_of(outputs).weight.to(outputs.device)
        contributions = weight.double() * mean_feature(outputs)
        return {"weight": torch.where(contributions > percentile_of(contributions, self.percentile), weight, 0)}

    def _score(self, chunk: Outputs) -> Tensor:
        weight, bias = self.learnt("weight", chunk.features), self.head_of(chunk).bias
        return torch.nn.functional.linear(chunk.features, weight.to(chunk.features), bias.to(chunk.features)).double().logsumexp(1)
