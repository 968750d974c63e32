"""mixup: images and labels are weighted means of pairs."""

from dataclasses import dataclass
from typing import Any

from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner
from oodkit.training.recipes import pairs
from oodkit.training.recipes.base import Recipe


@dataclass
class Mixup(Recipe):
    """L = −y_mixᵀ log softmax(F(x_mix)), with x_mix = λ x + (1 − λ) x′ and y_mix = λ y + (1 − λ) y′, after crop and flip alone.

    Zhang et al., ICLR 2018, arXiv:1710.09412; equations 8 and 9 of Xiong et al., ICCV 2025. λ is drawn from Beta(α, α), once a
    batch, and x′ is the image before x in the batch, both by torchvision's v2.MixUp. alpha: above 0; 0.2 as in OpenOOD v1.5 and
    in torchvision's second recipe. beta: at least 0 and below 1, of label smoothing beside it; with 0.1 the two are the half of
    that recipe which touches labels, the one that Xiong et al. find harmful. The accuracy in training counts the class with the
    larger share.
    """

    name = "mixup"
    title = "mixup"
    paper = "arXiv:1710.09412"

    alpha: float = 0.2
    beta: float = 0.0

    def __post_init__(self) -> None:
        self.require(self.alpha > 0, "an alpha above 0")
        self.require(0 <= self.beta < 1, "a beta of at least 0 and below 1")

    def loss(self, learner: Learner, batch: Batch) -> Found:
        mixed = pairs.mixup(batch.images, batch.labels, self.alpha)
        logits = learner.logits(mixed.images).float()
        return Found({"cross-entropy": mixed.cross_entropy(logits, self.beta)}, mixed.correct(logits))

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "label_smoothing": self.beta, "mixup": self.alpha}
