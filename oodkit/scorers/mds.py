"""Mahalanobis distance to the nearest class."""

from dataclasses import dataclass

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.common.mahalanobis import Mahalanobis


@dataclass
class Mds(Mahalanobis):
    """−min_c (f − μ_c)ᵀ Σ⁺ (f − μ_c), μ_c the class means and Σ the tied covariance of the training features; at most 0.

    Lee, Lee, Lee and Shin, NeurIPS 2018, arXiv 1807.03888, on the last features alone as OpenOOD v1.5; the
    paper's several layers and input noise are not offered. Learns from labelled training images, in float64 throughout. A class
    without images is left out.

    Fails on ImageNet networks (ResNet-50: 55 near, 74 far), where directions of small variance drown the rest.
    """

    name = "mds"
    title = "Mahalanobis distance"
    paper = "arXiv:1807.03888"

    def _score(self, chunk: Outputs) -> Tensor:
        return -self._distances(chunk).to_nearest()
