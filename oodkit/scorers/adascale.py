"""Activation scaling by a percentile of each image's own."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.scorers.common.shaping import LARGEST_EXPONENT, against_negative_features
from oodkit.stats import require_finite, stratified_rows

MOST_IMAGES = 5000  # to learn from, as in OpenOOD; by the Dvoretzky–Kiefer–Wolfowitz inequality F is then known to ± 0.02
BOUNDS = (60.0, 65.0, 70.0, 75.0, 80.0, 85.0, 90.0, 95.0, 99.0)


@dataclass
class _AdaScale(Scorer):
    """What both variants share: Q of each image, its percentile P by the rank of Q among those of validation images, and r at P."""

    paper = "arXiv:2503.08023"
    uses = "both"
    fits_on = "val"
    presets: ClassVar = {"paper": {"low": 60.0}}
    grid: ClassVar = {"high": BOUNDS[1:], "low": BOUNDS[:-1]}

    low: float = 75.0
    high: float = 85.0
    weight: float = 10.0
    share: float = 0.05
    step: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        self.require(0 <= self.low < self.high < 100, "percentiles 0 ≤ low < high < 100")
        self.require(self.weight >= 0, "a weight of at least 0")
        self.require(0 < self.share <= 1 and self.step >= 0, "a share above 0 and at most 1, and a step of at least 0")

    def probe(self) -> str:
        return f"adascale:share={float(self.share)},step={float(self.step)}"

    def caution(self, outputs: Outputs) -> str | None:
        return against_negative_features(self.name, outputs)

    def _fit(self, outputs: Outputs) -> State:
        if len(outputs) > MOST_IMAGES:
            share = MOST_IMAGES / len(outputs)
            outputs = outputs.subset(stratified_rows(outputs.labels, share, self.seed, ids=outputs.indices))
        shifts = torch.cat([self._shift(chunk) for chunk in outputs.chunks()])
        require_finite(shifts)
        return {"shifts": shifts.sort().values}

    def _shift(self, chunk: Outputs) -> Tensor:
        """(n,) Q: how far the largest features move under the perturbation, and how large they are after it."""
        features, perturbed = chunk.features.double(), self.probed(chunk).double()
        moved, kept = (max(chunk.num_features * percent // 100, 1) for percent in (1, 5))
        largest = features.topk(kept, dim=1).indices
        shift = (features - perturbed).abs().gather(1, largest[:, :moved]).sum(1)
        return self.weight * shift + perturbed.clamp(min=0).gather(1, largest).sum(1)

    def _ratio(self, chunk: Outputs) -> Tensor:
        """(n,) r = s₁ / s₂ of max(f, 0) at the image's own percentile; 1 for a row without a positive entry."""
        shifts = self.learnt("shifts", chunk.features)
        share_below = torch.searchsorted(shifts, self._shift(chunk), right=True).double() / len(shifts)
        percentile = self.low + (1 - share_below) * (self.high - self.low)
        width = chunk.num_features
        most = max(width - round(width * self.low / 100), 1)
        sizes = (width - (width * percentile / 100).round()).long().clamp(1, most)
        positive = chunk.features.clamp(min=0).double()
        largest = positive.topk(most, dim=1).values.cumsum(1).gather(1, sizes[:, None] - 1).squeeze(1)
        return torch.where(largest == 0, 1.0, positive.sum(1) / largest)

    def _score(self, chunk: Outputs) -> Tensor:
        return self._scaled(chunk, self._ratio(chunk)[:, None]).logsumexp(1)

    @abstractmethod
    def _scaled(self, chunk: Outputs, ratio: Tensor) -> Tensor:
        """(n, C) float64 logits scaled by each row's r (n, 1)."""


@dataclass
class AdaScaleA(_AdaScale):
    """lse((exp(r) · f) Wᵀ + b), r = s₁ / s₂ as in SCALE, with a percentile P of each image's own.

    Regmi, 2025, arXiv 2503.08023; the variant that scales activations. P = low + (1 − F(Q)) (high − low), F the share of ID
    validation images whose Q is at most this one's. Q = weight · Σ |f − f′| over the 1 % largest entries of f + Σ max(f′, 0) over
    the 5 % largest, f′ the features of the image changed by ``step`` (in normalised pixels) along the sign of the gradient of its
    largest logit, on that ``share`` of the input values where it is smallest. s₁ is the sum of max(f, 0), s₂ that of its
    k = D − round(D · P / 100) largest entries.

    Learns the Q of at most 5,000 ID validation images, drawn class by class by ``seed``. Runs the network again: one backward and
    two forward passes an image. low, high: 0 ≤ low < high < 100; 75 and 85 under ``openood``. ``paper`` fixes low at 60 and
    searches high for each network, which ``--tune`` does; without a search it is 85. weight: 10; share: 0.05; step: 0.5.

    1 % and 5 % of D are rounded down, but to no less than one entry: OpenOOD leaves the shift out where D is below 100.
    OpenOOD's k1 = 5 and k2 = 1 are the authors' k2 and k1. Of the 64 pairs of the grid the 36 with low < high are tried.
    Fails where features can be negative (ViT, Swin, ConvNeXt), where it warns.
    """

    name = "adascale-a"
    title = "AdaSCALE-A"

    def _scaled(self, chunk: Outputs, ratio: Tensor) -> Tensor:
        bias = self.head_of(chunk).bias.to(chunk.logits.device).double()
        return ratio.clamp(max=LARGEST_EXPONENT).exp() * (chunk.logits.double() - bias) + bias


@dataclass
class AdaScaleL(_AdaScale):
    """lse(r² · z), r = s₁ / s₂ as in SCALE, with a percentile P of each image's own.

    Regmi, 2025, arXiv 2503.08023; the variant that scales logits. r, P, the settings and their presets, what it learns and what it
    costs are those of ``adascale-a``.

    Fails where features can be negative (ViT, Swin, ConvNeXt), where it warns.
    """

    name = "adascale-l"
    title = "AdaSCALE-L"

    def _scaled(self, chunk: Outputs, ratio: Tensor) -> Tensor:
        return ratio.square() * chunk.logits.double()
