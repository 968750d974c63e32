"""T2FNorm: features of one length while it learns, and of their own length when it is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner
from oodkit.training.recipes.base import Recipe


@dataclass
class T2FNorm(Recipe):
    """L = −log softmax(W f / (tau · ‖f‖) + b)[y], with f what the last layer reads; the trained network gives W f / tau + b.

    Images are cropped and flipped, as in v1. Regmi et al., T2FNorm: Train-time Feature Normalization for OOD Detection in Image
    Classification, CVPR Workshops 2024, arXiv:2305.17797.
    tau: above 0; 0.1 is what OpenOOD v1.5 trains on every set with. It ends in the last layer's weight, so that the trained network
    is a plain one. It answers from features as they are, while OpenOOD takes the class from the normalised ones; the two can
    differ where b tips the scales. OpenOOD's ImageNet-1K network starts from torchvision's weights and is scored with tau = 1.
    """

    name = "t2fnorm"
    title = "Train-time feature normalization"
    paper = "arXiv:2305.17797"
    scored_by = ("msp",)
    note = "trained on normalised features, scored on features as they are; tau is in the last layer's weight"
    needs_linear_head = True

    tau: float = 0.1

    def __post_init__(self) -> None:
        self.require(self.tau > 0, "a tau above 0")

    def loss(self, learner: Learner, batch: Batch) -> Found:
        features, _ = learner.features_and_logits(batch.images)
        logits = learner.classify(normalize(features) / self.tau)
        return Found({"cross-entropy": cross_entropy(logits, batch.labels)}, logits.argmax(1) == batch.labels)

    def predict(self, learner: Learner, images: Tensor) -> Tensor:
        features, _ = learner.features_and_logits(images)
        return learner.classify(features / self.tau).argmax(1)

    def finish(self, net: nn.Module, head: str, extra: nn.Module) -> Mapping[str, str]:
        with torch.no_grad():
            net.get_submodule(head).get_parameter("weight").div_(self.tau)
        return {}

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "loss": "cross-entropy on normalised features"}
