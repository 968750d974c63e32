"""Outlier Exposure: images of none of the classes are taught to look like all of them equally."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from oodkit.errors import UsageError
from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner
from oodkit.training.recipes.base import Recipe


@dataclass
class OutlierExposure(Recipe):
    """L = −log softmax(v)[y] + weight · E over outliers of (lse(v) − mean(v)), the latter being the cross-entropy H(U, softmax v).

    U is the uniform distribution over the classes. Images and outliers are cropped and flipped, as in v1, and go through the
    network together, in one pass, as in the authors' code and OpenOOD v1.5: batch normalisation sees them as one batch.
    Hendrycks, Mazeika and Dietterich, Deep Anomaly Detection with Outlier Exposure, ICLR 2019, arXiv:1812.04606.
    weight: 0 or more; 0.5 is the authors' and OpenOOD's, and so are twice as many outliers as images in a step: 256 beside 128.
    Outliers must not be the images that the network is judged on: OpenOOD takes lists of its own for them, train_tin597 for CIFAR
    and for ImageNet-200 the other 800 classes.
    """

    name = "outlier-exposure"
    title = "Outlier Exposure"
    paper = "arXiv:1812.04606"
    needs = frozenset({"outliers"})
    scored_by = ("msp",)

    weight: float = 0.5

    def __post_init__(self) -> None:
        self.require(self.weight >= 0, "a weight of 0 or more")

    def loss(self, learner: Learner, batch: Batch) -> Found:
        if batch.outliers is None:
            raise UsageError("recipe outlier-exposure needs outliers, got a batch without; name their images with --outliers SET")
        both = learner.logits(torch.cat([batch.images, batch.outliers])).float()
        known, outlying = both[: len(batch.images)], both[len(batch.images) :]
        uniform = (outlying.logsumexp(1) - outlying.mean(1)).mean()
        parts = {"cross-entropy": cross_entropy(known, batch.labels), "outliers": self.weight * uniform}
        return Found(parts, known.argmax(1) == batch.labels)

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "loss": "cross-entropy with outlier exposure"}
