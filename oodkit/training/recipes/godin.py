"""Generalized ODIN: logits are a class's likeness, divided by a learnt confidence that the image is of any class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner, linear_head
from oodkit.training.recipes.base import Recipe


@dataclass
class GODIN(Recipe):
    """L = −log softmax(h / g)[y], with g = σ(batchnorm(a·f + b)) in (0, 1), h_c = cos(w_c, f) or w_c·f + b_c, f the features.

    Images are cropped and flipped, as in v1; f is what the last layer reads. Hsu et al., Generalized ODIN: Detecting
    Out-of-distribution Image without Learning from Out-of-distribution Data, CVPR 2020, arXiv:2002.11297, section 3 (DeConf-C and
    DeConf-I). The trained network gives h, so that the paper's score max_c h_c, OpenOOD v1.5's too, is the maximal logit; g is
    left behind.
    similarity: ``cosine``, OpenOOD's, or ``inner``. The paper's third, Euclidean h is no linear layer.
    Left out: the perturbation of test images by the paper and OpenOOD (0.0025 there); and that h alone has no weight decay, in
    both, which of cosines only tells how fast directions are learnt.
    """

    name = "godin"
    title = "Generalized ODIN"
    paper = "arXiv:2002.11297"
    scored_by = ("mls",)
    note = "h of Generalized ODIN, without the confidence that it was trained with; the maximal logit (mls) is the paper's score"
    needs_linear_head = True

    similarity: Literal["cosine", "inner"] = "cosine"

    def __post_init__(self) -> None:
        self.require(self.similarity in {"cosine", "inner"}, "a similarity of cosine or inner")

    def adapt(self, net: nn.Module, head: str, num_classes: int) -> None:
        layer = linear_head(net, head)
        if self.similarity == "cosine" and layer.bias is not None:
            layer.bias.requires_grad_(False).zero_()

    def modules(self, num_classes: int, num_features: int) -> nn.Module:
        return nn.Sequential(nn.Linear(num_features, 1), nn.BatchNorm1d(1), nn.Sigmoid())

    def loss(self, learner: Learner, batch: Batch) -> Found:
        features, likeness = self._likeness(learner, batch.images)
        confidence = learner.extra
        with torch.autocast(features.device.type, enabled=False):
            logits = likeness / confidence(features)
        return Found({"cross-entropy": cross_entropy(logits, batch.labels)}, likeness.argmax(1) == batch.labels)

    def predict(self, learner: Learner, images: Tensor) -> Tensor:
        return self._likeness(learner, images)[1].argmax(1)

    def finish(self, net: nn.Module, head: str, extra: nn.Module) -> Mapping[str, str]:
        if self.similarity == "inner":
            return {}
        from oodkit.models.adapted import NORMALISED, normalised_head

        layer = normalised_head(net, head)
        with torch.no_grad():
            layer.weight.copy_(normalize(layer.weight, dim=1))
        return {"head": NORMALISED}

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "loss": "cross-entropy of decomposed confidence"}

    def _likeness(self, learner: Learner, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, D) and h (B, C), float32: cosines of a shorter type are too coarse to be divided by g."""
        features, logits = learner.features_and_logits(images)
        features = features.float()
        if self.similarity == "inner":
            return features, logits.float()
        with torch.autocast(features.device.type, enabled=False):
            return features, normalize(features, dim=1) @ normalize(learner.head_layer.weight, dim=1).T
