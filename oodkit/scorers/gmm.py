"""Density of the feature under a Gaussian mixture with one component a class."""

from dataclasses import dataclass

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import State
from oodkit.scorers.common.mahalanobis import Mahalanobis


@dataclass
class Gmm(Mahalanobis):
    """log Σ_c π_c exp(−½ (f − μ_c)ᵀ Σ⁺ (f − μ_c)), π_c the share, μ_c the mean of class c, Σ the tied covariance; at most 0.

    OpenOOD v1.5, gmm_postprocessor.py, on the last features alone and with one component a class in place of its fitted ones: the
    labels give the components, so nothing is iterated, and the result depends on no seed. Learns from labelled training images,
    in float64 throughout. The density's constant factor is left out.

    OpenOOD clamps the density at 1e-45, where all images further off than about 14 deviations tie; here the logarithm is taken of
    the sum without forming it, and they stay in order. Far from all classes it is half of ``mds`` and a constant: it differs where
    classes lie close together or differ in size, and fails where ``mds`` does.
    """

    name = "gmm"
    title = "Gaussian mixture of the classes"
    paper = "OpenOOD v1.5, gmm_postprocessor.py"

    def _fit(self, outputs: Outputs) -> State:
        learnt = self._moments(outputs)
        counts = learnt.class_counts[learnt.class_counts > 0].double()
        return {**super()._fit(outputs), "log_shares": (counts / counts.sum()).log()}

    def _score(self, chunk: Outputs) -> Tensor:
        found = self._distances(chunk)
        nearby = (self.learnt("log_shares", found.beyond) - found.beyond / 2).logsumexp(1)
        return (nearby - found.to_mean / 2).clamp(max=0)
