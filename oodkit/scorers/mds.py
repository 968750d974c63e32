"""Mahalanobis distance to the nearest class."""

from dataclasses import dataclass

from torch import Tensor

from oodkit.moments import moments
from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.stats import require_labels


@dataclass
class Mds(Scorer):
    """−min_c (f − μ_c)ᵀ Σ⁺ (f − μ_c), μ_c the class means and Σ the tied covariance of the training features; at most 0.

    Lee, Lee, Lee and Shin, NeurIPS 2018, arXiv 1807.03888, on the last features alone as OpenOOD v1.5; the
    paper's several layers and input noise are not offered. Learns from labelled training images, in float64 throughout. A class
    without images is left out.

    Fails on ImageNet networks (ResNet-50: 55 near, 74 far), where directions of small variance drown the rest.
    """

    name = "mds"
    title = "Mahalanobis distance"
    paper = "arXiv:1807.03888"
    uses = "features"
    fits_on = "train"

    def _fit(self, outputs: Outputs) -> State:
        require_labels(outputs)
        learnt = moments(outputs)
        whitener = learnt.whitener
        present = learnt.class_means[learnt.class_counts > 0]
        return {"mean": learnt.mean, "whitener": whitener, "centres": (present - learnt.mean) @ whitener}

    def _score(self, chunk: Outputs) -> Tensor:
        centred = chunk.features.double() - self.learnt("mean", chunk.features)
        whitened, centres = centred @ self.learnt("whitener", centred), self.learnt("centres", centred)
        to_centres = centres.square().sum(1) - 2 * whitened @ centres.mT
        return -(whitened.square().sum(1) + to_centres.amin(1)).clamp(min=0)
