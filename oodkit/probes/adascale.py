"""AdaSCALE's features of an image changed where it matters least."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.classifier import Classifier
from oodkit.heads import features_and_logits
from oodkit.probes.base import Probe, input_gradient


@dataclass(frozen=True)
class AdaScaleProbe(Probe):
    """(n, D) features of x + step · sign(g) on the ``share`` of the input values with the smallest |g|, g = ∂z_ŷ/∂x.

    Regmi, 2025, arXiv 2503.08023. share: of channels · H · W, rounded down, above 0 and at most 1. step: in units of normalised
    pixels, at least 0. A value whose gradient is 0 stays as it is.
    """

    name = "adascale"
    finds = "features"
    differentiates = True

    share: float = 0.05
    step: float = 0.5

    def __post_init__(self) -> None:
        self.require(0 < self.share <= 1, "a share above 0 and at most 1")
        self.require(self.step >= 0, "a step of at least 0")

    def run(self, model: Classifier, pixels: Tensor) -> Tensor:
        slope = input_gradient(model, pixels, _largest_logit).flatten(1)
        lowest = slope.abs().topk(int(slope.shape[1] * self.share), largest=False, sorted=False).indices
        change = torch.zeros_like(slope).scatter_(1, lowest, self.step * slope.gather(1, lowest).sign())
        with torch.no_grad():
            features, _ = features_and_logits(model.net, model.head, pixels + change.view_as(pixels))
        return features


def _largest_logit(logits: Tensor) -> Tensor:
    return torch.zeros_like(logits).scatter_(1, logits.argmax(1, keepdim=True), 1.0)
