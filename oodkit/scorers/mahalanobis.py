"""Mahalanobis distances to the class means: what MDS, RMDS, their forms on unit features, and the Gaussian mixture share."""

from typing import ClassVar
from weakref import WeakKeyDictionary

from torch import Tensor

from oodkit.moments import Moments, moments, unit_moments
from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.stats import require_labels, unit_rows

# The products with the whitener are most of what these scorers cost, and those of one run get each chunk one after the other.
_distances_of: WeakKeyDictionary[Outputs, list[tuple[Tensor, Tensor]]] = WeakKeyDictionary()


class Mahalanobis(Scorer):
    """A scorer that learns class means μ_c and a tied covariance Σ from labelled training images; float64 throughout.

    unit: of the features divided by their lengths. A class without images is left out.
    """

    uses = "features"
    fits_on = "train"
    unit: ClassVar[bool] = False

    def _fit(self, outputs: Outputs) -> State:
        require_labels(outputs)
        learnt = self._moments(outputs)
        present = learnt.class_means[learnt.class_counts > 0]
        return {"mean": learnt.mean, "whitener": learnt.whitener, "centres": (present - learnt.mean) @ learnt.whitener}

    def _moments(self, outputs: Outputs) -> Moments:
        return unit_moments(outputs) if self.unit else moments(outputs)

    def _centred(self, chunk: Outputs) -> Tensor:
        """(n, D) the features less the mean of all training features."""
        features = chunk.features.double()
        return (unit_rows(features) if self.unit else features) - self.learnt("mean", features)

    def _distances(self, chunk: Outputs) -> Tensor:
        """(n, C) the squared distances (f − μ_c)ᵀ Σ⁺ (f − μ_c) = ‖a‖² + ‖h_c‖² − 2⟨a, h_c⟩, Σ⁺ = A Aᵀ, a = Aᵀf, h_c = Aᵀμ_c.

        Scorers that were fitted on the same outputs hold the same A, and find the distances of the same chunk once.
        """
        whitener = self.learnt("whitener", chunk.features)
        known = _distances_of.setdefault(chunk, [])
        for other, distances in known:
            if other is whitener:
                return distances
        whitened, centres = self._centred(chunk) @ whitener, self.learnt("centres", whitener)
        distances = (whitened @ centres.mT).mul_(-2).add_(centres.square().sum(1)).add_(whitened.square().sum(1, keepdim=True))
        known.append((whitener, distances.clamp_(min=0)))
        return distances
