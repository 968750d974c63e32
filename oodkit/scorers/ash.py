"""Activation shaping in its three variants."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer
from oodkit.scorers.common.shaping import against_negative_features, factor, largest_entries


@dataclass
class _Ash(Scorer):
    """What the variants share: T, the mask of the k largest entries of each feature row, k = D − round(D · percentile / 100)."""

    paper = "arXiv:2209.09858"
    uses = "both"
    grid: ClassVar = {"percentile": (65.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0)}

    percentile: float = 90.0

    def __post_init__(self) -> None:
        self.require(0 <= self.percentile < 100, "a percentile of at least 0 and below 100")

    def caution(self, outputs: Outputs) -> str | None:
        return against_negative_features(self.name, outputs)

    def _score(self, chunk: Outputs) -> Tensor:
        head = self.head_of(chunk)
        values, columns = largest_entries(chunk.features, self.percentile)
        shaped, scale = self._shape(values, chunk.features)
        pruned = torch.zeros_like(chunk.features).scatter_(1, columns, shaped)
        products = (pruned @ head.weight.to(pruned).mT).double()
        return (scale[:, None] * products + head.bias.to(products)).logsumexp(1)

    @abstractmethod
    def _shape(self, values: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """From the kept entries (n, k) and the rows (n, D) what takes the entries' place (n, k), and a factor for the row (n,)."""


@dataclass
class AshB(_Ash):
    """Binarised: lse((s / k) · T Wᵀ + b), s the sum of the row, T its 0/1 mask of the k largest entries.

    Djurisic, Bozanic, Ashok and Liu, ICLR 2023, arXiv 2209.09858; andrijazz/ash, ash.py. Learns nothing. OpenOOD's ASH.
    percentile: 0–100, the share of entries that is pruned; 90 under ``openood``, 65 under ``paper`` (the authors' function).

    Fails on features that can be negative (ViT, Swin, ConvNeXt; near chance), where it warns, and on CIFAR-10 networks.
    """

    name = "ash-b"
    title = "ASH-B"
    presets: ClassVar = {"paper": {"percentile": 65.0}}

    def _shape(self, values: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(values), features.double().sum(1) / values.shape[1]


@dataclass
class AshP(_Ash):
    """Pruned: lse((T∘f) Wᵀ + b), T the 0/1 mask of the k largest entries of a row.

    Djurisic, Bozanic, Ashok and Liu, ICLR 2023, arXiv 2209.09858; andrijazz/ash, ash.py. Learns nothing.
    percentile: 0–100, the share of entries that is pruned; 90 as the other variants, 65 under ``paper`` (the authors' function).

    Fails on features that can be negative, where it warns.
    """

    name = "ash-p"
    title = "ASH-P"
    presets: ClassVar = {"paper": {"percentile": 65.0}}

    def _shape(self, values: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        return values, values.new_ones(values.shape[0])


@dataclass
class AshS(_Ash):
    """Scaled: lse(exp(s₁ / s₂) · (T∘f) Wᵀ + b), s₁ the sum of the row, s₂ that of its k largest entries, T their 0/1 mask.

    Djurisic, Bozanic, Ashok and Liu, ICLR 2023, arXiv 2209.09858; andrijazz/ash, ash.py. Learns nothing.
    percentile: 0–100, the share of entries that is pruned; 90, the authors' value for ImageNet (they take 95 for CIFAR DenseNet).

    Fails on features that can be negative, where s₁ / s₂ means nothing; it warns. s₁ / s₂ is at most 500, so that scores
    are finite. Some code leaves the exponential out, which is another score.
    """

    name = "ash-s"
    title = "ASH-S"

    def _shape(self, values: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        return values, factor(features, values)
