"""Mahalanobis distance to the nearest class, relative to that from all classes together."""

from dataclasses import dataclass

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import State
from oodkit.scorers.mahalanobis import Mahalanobis


@dataclass
class Rmds(Mahalanobis):
    """(f − μ)ᵀ Σ₀⁺ (f − μ) − min_c (f − μ_c)ᵀ Σ⁺ (f − μ_c), μ and Σ₀ of all training features together; of either sign.

    Ren, Fort, Liu, Roy, Padhy and Lakshminarayanan, 2021, arXiv 2106.09022. μ_c and Σ as for ``mds``: learns from labelled training
    images, in float64 throughout; a class without images is left out. Σ and Σ₀ are both divided by the number of images: code
    that leaves this out of Σ₀ makes the first term vanish, and gives ``mds``.

    What is odd in directions that no class uses counts in both terms and cancels, which mends most of what fails ``mds`` near the
    classes and gives up some of what it finds far from them.
    """

    name = "rmds"
    title = "Relative Mahalanobis distance"
    paper = "arXiv:2106.09022"

    def _fit(self, outputs: Outputs) -> State:
        return {**super()._fit(outputs), "background": self._moments(outputs).total_whitener}

    def _score(self, chunk: Outputs) -> Tensor:
        centred = self._centred(chunk)
        background = (centred @ self.learnt("background", centred)).square().sum(1)
        return background - self._distances(chunk).amin(1)
