"""ODIN's perturbed input."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.classifier import Classifier
from oodkit.probes.base import Probe


@dataclass(frozen=True)
class OdinProbe(Probe):
    """(n, C) float32 logits of x − noise · sign(∂CE(z(x)/temperature, ŷ)/∂x), sign(0) = +1.

    Liang, Li and Srikant, ICLR 2018, arXiv 1706.02690, equation 2. noise: in units of pixels in [0, 1], so it is divided by the
    channels' standard deviations before it is added to normalised pixels. temperature: above 0.
    """

    name = "odin"
    differentiates = True

    temperature: float = 1000.0
    noise: float = 0.0014

    def run(self, model: Classifier, pixels: Tensor) -> Tensor:
        with torch.enable_grad():
            pixels = pixels.detach().requires_grad_()
            logits = model.net(pixels).float() / self.temperature
            loss = -(logits.amax(1) - logits.logsumexp(1)).sum()
            (slope,) = torch.autograd.grad(loss, pixels)
        std = torch.tensor(model.preprocessing["std"]).to(pixels)[:, None, None]
        with torch.no_grad():
            signs = torch.where(slope >= 0, 1.0, -1.0)
            perturbed: Tensor = model.net(pixels - self.noise * signs / std)
            return perturbed.float()

    def obstacle(self, model: Classifier) -> str | None:
        known = "std" in model.preprocessing
        return None if known else "its preprocessing names no std, so the noise can't be scaled to its pixels"
