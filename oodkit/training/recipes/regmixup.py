"""RegMixup: mixup beside plain cross-entropy in place of it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner
from oodkit.training.recipes import pairs
from oodkit.training.recipes.base import Recipe


@dataclass
class RegMixup(Recipe):
    """L = CE(F(x), y) + CE(F(x_mix), y_mix), with x_mix = λ x + (1 − λ) x′ and y_mix = λ y + (1 − λ) y′; crop and flip alone.

    Pinto et al., NeurIPS 2022, arXiv:2206.14502; equation 12 of Xiong et al., ICCV 2025. λ is drawn from Beta(α, α), once a
    batch, by torchvision's v2.MixUp. Both halves go through the network as one batch of 2 B images, so that batch normalisation
    sees them together, as in the authors' code and in OpenOOD v1.5. Those take the mean over the 2 B images, which is half of the
    sum in the equation, and so of this.

    alpha: above 0; 10 as OpenOOD v1.5's runs on CIFAR-100, ImageNet-200 and ImageNet have it; on CIFAR-10 it is 20 there and
    in the authors' code. At both λ lies near one half. Left out: the weight of the second term, 1 in both. The accuracy in
    training is that on the plain images.
    """

    name = "regmixup"
    title = "RegMixup"
    paper = "arXiv:2206.14502"
    scored_by = ("msp",)

    alpha: float = 10.0

    def __post_init__(self) -> None:
        self.require(self.alpha > 0, "an alpha above 0")

    def loss(self, learner: Learner, batch: Batch) -> Found:
        mixed = pairs.mixup(batch.images, batch.labels, self.alpha)
        logits, of_mixed = learner.logits(torch.cat([batch.images, mixed.images])).float().chunk(2)
        parts = {"cross-entropy": cross_entropy(logits, batch.labels), "mixup": mixed.cross_entropy(of_mixed)}
        return Found(parts, logits.argmax(1) == batch.labels)

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "loss": "ce+mixup"}
