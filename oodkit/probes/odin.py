"""ODIN's perturbed input."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.classifier import Classifier
from oodkit.errors import UnsupportedModelError
from oodkit.probes.base import Probe, input_gradient


@dataclass(frozen=True)
class OdinProbe(Probe):
    """(n, C) float32 logits of x − noise · sign(∂CE(z(x)/temperature, ŷ)/∂x) / std, sign(0) = +1.

    Liang, Li and Srikant, ICLR 2018, arXiv 1706.02690, equation 2. noise: at least 0, in units of pixels in [0, 1], so it is
    divided by the channels' standard deviations before it is added to normalised pixels. temperature: above 0.
    """

    name = "odin"
    finds = "logits"
    differentiates = True

    temperature: float = 1000.0
    noise: float = 0.0014

    def __post_init__(self) -> None:
        self.require(self.temperature > 0, "a temperature above 0")
        self.require(self.noise >= 0, "a noise of at least 0")

    def run(self, model: Classifier, pixels: Tensor) -> Tensor:
        std = torch.tensor(_channel_deviations(model)).to(pixels)[:, None, None]
        slope = input_gradient(model, pixels, self._towards_the_loss)
        signs = torch.where(slope >= 0, 1.0, -1.0)
        with torch.no_grad():
            perturbed: Tensor = model.net(pixels - self.noise * signs / std)
        return perturbed

    def _towards_the_loss(self, logits: Tensor) -> Tensor:
        """(n, C) ∂CE/∂z of each image but for a positive factor, which no sign depends on.

        Of p − e_ŷ with p = softmax(z/temperature) the factor is 1 − p_ŷ: what is left is the softmax among the other classes, and
        −1 for ŷ. That is of size 1 even where p_ŷ rounds to 1, and a temperature of 1000 does not make it small.
        """
        predicted = logits.argmax(1, keepdim=True)
        others = (logits / self.temperature).scatter(1, predicted, -torch.inf).softmax(1)
        return others.scatter(1, predicted, -1.0)


def _channel_deviations(model: Classifier) -> list[float]:
    if "std" not in model.preprocessing:
        raise UnsupportedModelError("its preprocessing names no std, which scales the noise to its pixels; give --mean and --std")
    return list(model.preprocessing["std"])
