"""What ASH and SCALE share: the largest entries of a feature row, and the factor that compares their sum with the row's."""

import torch
from torch import Tensor

from oodkit.memo import once
from oodkit.outputs import Outputs

LARGEST_EXPONENT = 500.0  # e^500 times any logit is finite; beyond it lie only k far below D, or features that can be negative


def largest_entries(features: Tensor, percentile: float) -> tuple[Tensor, Tensor]:
    """(n, k) the k = D − round(D · percentile / 100) largest entries of each row, at least one, in no order, and their columns."""
    width = features.shape[1]
    values, columns = features.topk(max(width - round(width * percentile / 100), 1), dim=1, sorted=False)
    return values, columns


def factor(features: Tensor, largest: Tensor) -> Tensor:
    """(n,) float64: exp(s₁ / s₂), s₁ the sum of a row and s₂ that of its largest entries; 1 where s₂ = 0.

    The exponent is at most 500: D / k bounds it where no entry is negative, but nothing does where some are.
    """
    total, kept = features.double().sum(1), largest.double().sum(1)
    return torch.where(kept == 0, 0.0, total / kept).clamp(max=LARGEST_EXPONENT).exp()


@once
def _has_negative_features(outputs: Outputs) -> bool:
    """All that assume this ask it of the same images."""
    return any(bool((chunk.features < 0).any()) for chunk in outputs.chunks())


def against_negative_features(name: str, outputs: Outputs) -> str | None:
    """The caution of a scorer that assumes features as after a ReLU; None where no entry is negative."""
    if _has_negative_features(outputs):
        return f"{name} assumes features that are never negative; this network's are, so its figures mean little"
    return None
