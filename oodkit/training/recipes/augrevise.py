"""AugRevise: mixed images kept apart from plain ones in the size of their logits, and nothing that softens labels beside it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from oodkit.images.base import ImageSet
from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner
from oodkit.training.recipes import pairs
from oodkit.training.recipes.base import Recipe, View
from oodkit.training.recipes.random_erasing import RandomErasing
from oodkit.training.recipes.trivial_augment import TrivialAugment


@dataclass
class AugRevise(Recipe):
    """L = CE(v, y) + CE(v_mix, y_mix) + L_vs, where L_vs wants lse(v_mix) − lse(v) = log m, with m = max(λ, 1 − λ).

    Xiong, Xu and Yao, ICCV 2025, Algorithm 2 and equations 12 to 14. The virtual separation loss of an image is
    L_vs = −(1 − P_λ) log(1 − P_v) − P_λ log P_v, with P_v = Σ e^v_mix / (Σ e^v + Σ e^v_mix) and P_λ = m / (m + 1): binary
    cross-entropy of the difference of the log-sum-exps, in which form it is computed, so that logits of any size are safe. At its
    least, the plain image's Σ e^v is 1/m times that of the mixed one.

    v are the logits of an image with TrivialAugment and random erasing, v_mix those of a pair of images mixed after crop and flip
    alone: line 3 of the algorithm mixes before line 4 augments. There is no label smoothing. λ is drawn from Beta(α, α), once a
    batch, by torchvision's v2.MixUp. Both halves go through the network as one batch of 2 B images, as in RegMixup's code; the
    paper does not say. Afterwards the last layer is refitted by AugDelete (line 9).

    alpha: above 0; the paper's text does not state it, and 10 is what OpenOOD v1.5 trains RegMixup with, the loss that this one
    revises. p: of random erasing, from 0 to 1; 0.1 as in the paper. The accuracy in training is that on the augmented images.
    """

    name = "augrevise"
    title = "AugRevise"
    paper = "ICCV 2025, pp. 1836–1845"
    trained_with: ClassVar = {"augdelete": True}
    scored_by = ("mls", "msp", "knn", "nnguide")

    alpha: float = 10.0
    p: float = 0.1

    def __post_init__(self) -> None:
        self.require(self.alpha > 0, "an alpha above 0")
        self.require(0 <= self.p <= 1, "a p from 0 to 1")

    def views(self, side: int, mixing: ImageSet | None = None) -> tuple[View, ...]:
        (augmented,), (erased,) = TrivialAugment().views(side), RandomErasing(self.p).views(side)
        return (View(augmented.on_image, erased.on_tensor), View())

    def loss(self, learner: Learner, batch: Batch) -> Found:
        augmented, plain = batch.views
        mixed = pairs.mixup(plain, batch.labels, self.alpha)
        logits, of_mixed = learner.logits(torch.cat([augmented, mixed.images])).float().chunk(2)
        parts = {
            "cross-entropy": cross_entropy(logits, batch.labels),
            "mixup": mixed.cross_entropy(of_mixed),
            "separation": virtual_separation(logits, of_mixed, mixed.share),
        }
        return Found(parts, logits.argmax(1) == batch.labels)

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "loss": "ce+mixup"}


def virtual_separation(logits: Tensor, of_mixed: Tensor, share: float) -> Tensor:
    """L_vs, equation 13, the mean over images: of logits v and v_mix, (B, C) each, and λ, in [0, 1]."""
    larger = max(share, 1 - share)
    difference = of_mixed.logsumexp(1) - logits.logsumexp(1)
    return binary_cross_entropy_with_logits(difference, torch.full_like(difference, larger / (larger + 1)))
