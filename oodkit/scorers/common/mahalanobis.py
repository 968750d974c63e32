"""Mahalanobis distances to the class means: what MDS, RMDS, their forms on unit features, and the Gaussian mixture share."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from oodkit.errors import NotApplicableError
from oodkit.memo import Memo, once
from oodkit.moments import Moments, moments, unit_moments
from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.stats import require_labels, unit_rows
from oodkit.wording import counted


@dataclass(frozen=True, eq=False)
class Whitened:
    """Coordinates in which the tied covariance Σ is the identity, turned so that the class means lie along the first K ≤ C − 1.

    whitener: (D, r), A with A Aᵀ = Σ⁺. centres: (C, K), the means of the classes that have images, less the mean of all.
    spread: (K,), the variance of the class means along each coordinate.
    """

    whitener: Tensor
    centres: Tensor
    spread: Tensor


@once
def whitened(outputs: Outputs) -> Whitened:
    """Learnt from the features."""
    return _whitened(moments(outputs))


@once
def unit_whitened(outputs: Outputs) -> Whitened:
    """Learnt from the features divided by their lengths."""
    return _whitened(unit_moments(outputs))


def _whitened(learnt: Moments) -> Whitened:
    present = learnt.class_counts > 0
    offsets = (learnt.class_means[present] - learnt.mean) @ learnt.whitener
    shares = learnt.class_counts[present].double() / learnt.count
    spread, rotation = torch.linalg.eigh(offsets.mT * shares @ offsets)
    rank = min(len(offsets) - 1, len(spread))
    turned = rotation.flip(1)
    return Whitened(learnt.whitener @ turned, (offsets @ turned)[:, :rank].contiguous(), spread.flip(0)[:rank].clamp(min=0))


@dataclass(frozen=True, eq=False)
class Distances:
    """Of n images, with a = Aᵀ(f − μ) and h_c the centres: (f − μ_c)ᵀ Σ⁺ (f − μ_c) = ‖a‖² + ‖h_c‖² − 2⟨a, h_c⟩.

    to_mean: (n,), ‖a‖². beyond: (n, C), the rest. leading: (n, K), the coordinates of a along which the class means lie.
    """

    to_mean: Tensor
    beyond: Tensor
    leading: Tensor

    def to_nearest(self) -> Tensor:
        """(n,), at least 0: the squared distance to the nearest class mean."""
        return (self.to_mean + self.beyond.amin(1)).clamp(min=0)


# The product with the whitener is most of what these scorers cost, and those of one run get each chunk one after the other.
_found: Memo[Distances] = Memo()


class Mahalanobis(Scorer):
    """A scorer that learns class means μ_c and a tied covariance Σ from labelled training images; float64 throughout.

    unit: of the features divided by their lengths. A class without images is left out.
    """

    uses = "features"
    fits_on = "train"
    unit: ClassVar[bool] = False

    def _fit(self, outputs: Outputs) -> State:
        require_labels(outputs)
        space = self._whitened(outputs)
        if space.whitener.shape[1] == 0:
            what = f"{_so_many(len(outputs), len(space.centres))} without a difference within a class"
            raise NotApplicableError(f"{self.name} has nothing to learn Σ from: {what}; give more training images")
        return {"mean": self._moments(outputs).mean, "whitener": space.whitener, "centres": space.centres}

    def caution(self, outputs: Outputs) -> str | None:
        """Images too few for Σ leave it null in directions that are then of no account. A dead feature alone is no reason."""
        if self.state is None or not {"whitener", "centres"} <= self.state.keys():
            return None
        (width, rank), classes = self.state["whitener"].shape, len(self.state["centres"])
        if rank == width or self.fitted_on - classes >= width:
            return None
        few = _so_many(self.fitted_on, classes)
        return f"Σ is known in only {rank} of {width} directions: {few}; give more training images"

    def _moments(self, outputs: Outputs) -> Moments:
        return unit_moments(outputs) if self.unit else moments(outputs)

    def _whitened(self, outputs: Outputs) -> Whitened:
        return unit_whitened(outputs) if self.unit else whitened(outputs)

    def _centred(self, chunk: Outputs) -> Tensor:
        """(n, D) the features less the mean of all training features."""
        features = unit_rows(chunk.features.double()) if self.unit else chunk.features
        return features - self.learnt("mean", features)

    def _distances(self, chunk: Outputs) -> Distances:
        """Scorers that were fitted on the same outputs hold the same whitener, and find these of the same chunk once."""
        whitener = self.learnt("whitener", chunk.features)
        return _found.get(chunk, whitener, lambda: self._distances_along(chunk, whitener))

    def _distances_along(self, chunk: Outputs, whitener: Tensor) -> Distances:
        coordinates, centres = self._centred(chunk) @ whitener, self.learnt("centres", whitener)
        leading = coordinates[:, : centres.shape[1]]
        beyond = torch.addmm(centres.square().sum(1), leading, centres.mT, alpha=-2)
        return Distances(torch.linalg.vector_norm(coordinates, dim=1).square(), beyond, leading)


def _so_many(images: int, classes: int) -> str:
    return f"{counted(images, 'image', 'images')} of {counted(classes, 'class', 'classes')}"
