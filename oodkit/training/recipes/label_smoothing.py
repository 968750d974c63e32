"""Label smoothing: a share of every label is spread evenly over the classes."""

from dataclasses import dataclass
from typing import Any

from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner
from oodkit.training.recipes.base import Recipe


@dataclass
class LabelSmoothing(Recipe):
    """L = −((1 − β) y + β/C)ᵀ log softmax(v), on images that are cropped and flipped and nothing else.

    Szegedy et al., CVPR 2016, arXiv:1512.00567, section 7; equation 7 of Xiong et al., ICCV 2025, whose uniform vector is printed
    as ones and is 1/C here, as there must be a distribution. beta: at least 0 and below 1; 0.1 as in both.
    """

    name = "label-smoothing"
    title = "Label smoothing"
    paper = "arXiv:1512.00567"

    beta: float = 0.1

    def __post_init__(self) -> None:
        self.require(0 <= self.beta < 1, "a beta of at least 0 and below 1")

    def loss(self, learner: Learner, batch: Batch) -> Found:
        from torch.nn.functional import cross_entropy

        logits = learner.logits(batch.images).float()
        loss = cross_entropy(logits, batch.labels, label_smoothing=self.beta)
        return Found({"cross-entropy": loss}, logits.argmax(1) == batch.labels)

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "label_smoothing": self.beta}
