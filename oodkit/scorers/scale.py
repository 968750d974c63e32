"""Activation scaling."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer
from oodkit.scorers.common.shaping import against_negative_features, factor, largest_entries


@dataclass
class Scale(Scorer):
    """lse(exp(s₁ / s₂) · f Wᵀ + b), s₁ the sum of a feature row, s₂ that of its k largest entries.

    Xu, Chen, Franchi and Yao, ICLR 2024, arXiv 2310.00227. k = D − round(D · percentile / 100); nothing is pruned. Learns nothing.
    percentile: 0–100, at least 0 and below 100; 85 under both presets. pytorch-ood starts from 65 (as 0.65).

    With r = exp(s₁ / s₂) it is lse(r · (z − b) + b), so it costs no matrix product. r = 1 where s₂ = 0; s₁ / s₂ is at most 500.

    Fails on features that can be negative (ViT, Swin, ConvNeXt), where it warns: the sums cancel, and s₁ / s₂ means nothing.
    """

    name = "scale"
    title = "SCALE"
    paper = "arXiv:2310.00227"
    uses = "both"
    grid: ClassVar = {"percentile": (65.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0)}

    percentile: float = 85.0

    def __post_init__(self) -> None:
        self.require(0 <= self.percentile < 100, "a percentile of at least 0 and below 100")

    def caution(self, outputs: Outputs) -> str | None:
        return against_negative_features(self.name, outputs)

    def _score(self, chunk: Outputs) -> Tensor:
        bias = self.head_of(chunk).bias.to(chunk.logits.device).double()
        values, _ = largest_entries(chunk.features, self.percentile)
        ratio = factor(chunk.features, values)[:, None]
        return (ratio * (chunk.logits.double() - bias) + bias).logsumexp(1)
