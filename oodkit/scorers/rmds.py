"""Mahalanobis distance to the nearest class, relative to that from all classes together."""

from dataclasses import dataclass

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import State
from oodkit.scorers.common.mahalanobis import Mahalanobis


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
        """With many images Σ and Σ₀ have one range; then where Σ⁺ is the identity Σ₀⁺ is diagonal, with no whitener of its own."""
        state, learnt = super()._fit(outputs), self._moments(outputs)
        if learnt.total_rank == state["whitener"].shape[1]:
            spread = self._whitened(outputs).spread
            return {**state, "shrinkage": spread / (1 + spread)}
        return {**state, "background": learnt.total_whitener}

    def _score(self, chunk: Outputs) -> Tensor:
        assert self.state is not None
        found = self._distances(chunk)
        if "shrinkage" in self.state:  # ‖a‖² stands in both terms
            return -found.leading.square() @ self.learnt("shrinkage", found.leading) - found.beyond.amin(1)
        centred = self._centred(chunk)
        background = (centred @ self.learnt("background", centred)).square().sum(1)
        return background - found.to_nearest()
