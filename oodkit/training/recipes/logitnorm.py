"""LogitNorm: the loss sees the direction of the logits and not their length."""

from dataclasses import dataclass
from typing import Any

from torch.nn.functional import cross_entropy, normalize

from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner
from oodkit.training.recipes.base import Recipe


@dataclass
class LogitNorm(Recipe):
    """L = −log softmax(v / (tau · ‖v‖))[y]. Images are cropped and flipped, as in v1; the trained network gives v itself.

    Wei et al., Mitigating Neural Network Overconfidence with Logit Normalization, ICML 2022, arXiv:2205.09310.
    tau: above 0. 0.04 is what OpenOOD v1.5 trains on every set with, and the authors' for CIFAR-10; for CIFAR-100 they advise
    0.0085, and less the more classes there are (hongxin001/logitnorm_ood, issue 2).
    OpenOOD's ImageNet-1K network is not trained from scratch: 30 epochs from torchvision's V1 weights at a learning rate of 0.001.
    """

    name = "logitnorm"
    title = "Logit normalization"
    paper = "arXiv:2205.09310"
    scored_by = ("msp",)

    tau: float = 0.04

    def __post_init__(self) -> None:
        self.require(self.tau > 0, "a tau above 0")

    def loss(self, learner: Learner, batch: Batch) -> Found:
        logits = learner.logits(batch.images)
        normalised = normalize(logits.float(), eps=1e-7) / self.tau
        return Found({"cross-entropy": cross_entropy(normalised, batch.labels)}, logits.argmax(1) == batch.labels)

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "loss": "cross-entropy of normalised logits"}
