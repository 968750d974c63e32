"""AugMix: each image beside two mixtures of its augmented copies, and one answer for all three."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from oodkit.images.base import ImageSet
from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner
from oodkit.training.recipes.base import Recipe, View
from oodkit.training.settings import SMALL


@dataclass
class AugMix(Recipe):
    """L = −log softmax(v)[y] + jsd · JS(p, p₁, p₂), p of the image as it is and p₁, p₂ of augmented views of it.

    JS is the Jensen–Shannon divergence: the mean over the three of KL(p_i ‖ their mean). A view is a random convex mixture of the
    image and ``width`` chains of 1 to 3 operations on it: torchvision's v2.AugMix, with all its operations.

    Hendrycks et al., AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty, ICLR 2020, arXiv:1912.02781.
    jsd: the divergence's weight, 0 or more; 12 is the authors' and OpenOOD v1.5's. At 0 one augmented view is learned from by
    cross-entropy alone. severity: of each operation, 1 to 10; none = 3 up to 64 pixels and 1 above, the authors' and OpenOOD's.
    width: chains, 1 or more, 3 in both. alpha: of the Dirichlet and Beta distributions of the shares, above 0; 1 in both.

    Three departures. On CIFAR OpenOOD trains with jsd=0, since its loss became NaN (as google-research/augmix, issue 27); here the
    divergence is computed from log-probabilities, whose gradient stays finite where a probability is 0 in float32. Brightness,
    color, contrast and sharpness are among the operations, as in OpenOOD; the authors leave them out by default, since their tests
    hold them. torchvision takes a strength from the first ``severity`` of ten steps, the first being none at all; the authors draw
    it from (0.1, severity).
    """

    name = "augmix"
    title = "AugMix"
    paper = "arXiv:1912.02781"
    scored_by = ("msp",)

    jsd: float = 12.0
    severity: int | None = None
    width: int = 3
    alpha: float = 1.0

    def __post_init__(self) -> None:
        self.require(self.jsd >= 0, "a jsd of 0 or more")
        self.require(self.severity is None or 1 <= self.severity <= 10, "a severity from 1 to 10")
        self.require(self.width >= 1, "a width of 1 or more")
        self.require(self.alpha > 0, "an alpha above 0")

    def views(self, side: int, mixing: ImageSet | None = None) -> tuple[View, ...]:
        from torchvision.transforms.v2 import AugMix as Augmented

        severity = self.severity or (3 if side <= SMALL else 1)
        augmented = View(on_image=(Augmented(severity=severity, mixture_width=self.width, alpha=self.alpha),))
        return (View(), augmented, augmented) if self.jsd else (augmented,)

    def loss(self, learner: Learner, batch: Batch) -> Found:
        logits = learner.logits(torch.cat(batch.views)).float().chunk(len(batch.views))
        parts = {"cross-entropy": cross_entropy(logits[0], batch.labels)}
        if self.jsd:
            parts["divergence"] = self.jsd * jensen_shannon(torch.stack(logits))
        return Found(parts, logits[0].argmax(1) == batch.labels)

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "loss": "jsd" if self.jsd else "ce"}


def jensen_shannon(logits: Tensor) -> Tensor:
    """The mean over B images of the Jensen–Shannon divergence, in nats, of the V distributions that logits (V, B, C) give."""
    each = log_softmax(logits, dim=2)
    mean = each.logsumexp(0) - math.log(len(logits))
    return kl_div(mean.expand_as(each), each, reduction="sum", log_target=True) / (len(logits) * logits.shape[1])
