"""The Fréchet distance between two sets of features, each taken for a Gaussian."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from oodkit.moments import moments
from oodkit.outputs import Outputs


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean (D,) and covariance (D, D), divided by N − 1, in float64; few: where N < D, the features less their mean (N, D)."""

    mean: Tensor
    covariance: Tensor
    few: Tensor | None

    @classmethod
    def of(cls, outputs: Outputs) -> "Gaussian":
        """Of the features of two images or more. Raises NotApplicableError where they are not finite."""
        found, count = moments(outputs), len(outputs)
        return cls(found.mean, found.total * (count / (count - 1)), None if found.few is None else found.few[1])

    @cached_property
    def factor(self) -> Tensor:
        """(r, D), A with Aᵀ A the covariance."""
        if self.few is not None:
            return self.few / math.sqrt(len(self.few) - 1)
        values, vectors = torch.linalg.eigh(self.covariance)
        root: Tensor = values.clamp(min=0).sqrt()[:, None] * vectors.mT
        return root


def frechet(first: Gaussian, second: Gaussian) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½), 0 or more, in squared units of the features.

    Heusel et al., NeurIPS 2017, arXiv:1706.08500, equation 6. The trace of the root is that of (A Σ₂ Aᵀ)^½ with Σ₁ = Aᵀ A, whose
    eigenvalues a symmetric solver finds. Two samples of one distribution come out above 0, of N(0, I) by about D(D + 5) / (2N).
    """
    product = first.factor @ second.covariance @ first.factor.mT
    cross = torch.linalg.eigvalsh((product + product.mT) / 2).clamp(min=0).sqrt().sum()
    apart = (first.mean - second.mean).square().sum()
    return max(float(apart + first.covariance.trace() + second.covariance.trace() - 2 * cross), 0.0)
