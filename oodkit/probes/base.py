"""The contract of a probe: what needs the network again, and stores one more tensor beside features and logits."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import fields
from typing import ClassVar, Literal

import torch
from torch import Tensor

from oodkit.classifier import Classifier
from oodkit.errors import UnsupportedModelError, UsageError


class Probe(ABC):
    """A further run of the network on each image. A subclass is a frozen dataclass; its fields, numbers all, are its settings.

    name: its word in a spec. version: part of the key under which its findings are cached; whoever changes what it finds adds 1.
    finds: ``"logits"`` are stored in float32, ``"features"`` in the precision of the run, as those of the forward pass are.
    differentiates: whether it asks for gradients with regard to the pixels, which takes several times the memory of a forward
    pass.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    finds: ClassVar[Literal["logits", "features"]]
    differentiates: ClassVar[bool] = False

    @abstractmethod
    def run(self, model: Classifier, pixels: Tensor) -> Tensor:
        """(n, …) what it finds for a batch of (n, channels, H, W) normalised pixels, on their device; pixels stay as they are.

        The network is in evaluation mode, its weights take no gradients, and autocast is as the run asked for. Raises
        UnsupportedModelError with the reason where it can't serve this network.
        """

    def spec(self) -> str:
        """The probe with all its settings, as ``parse_probe`` reads and scorers name it: ``odin:temperature=1.0,noise=0.001``."""
        settings = ",".join(f"{one.name}={float(getattr(self, one.name))}" for one in fields(self))  # type: ignore[arg-type]  # every probe is a dataclass
        return ":".join([self.name, settings]).removesuffix(":")

    def require(self, condition: bool, expected: str) -> None:
        """Raise UsageError with what the settings are and what was ``expected``, unless ``condition`` holds."""
        if not condition:
            raise UsageError(f"the probe {self.name} expects {expected}, got {self.spec()}")


def input_gradient(model: Classifier, pixels: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    """(n, channels, H, W) float32: ∂/∂x Σ_c u_c z_c(x) of each image, with u = ``of`` (z), (n, C), taken as constant.

    In float32 whatever the run's precision: half precision loses small gradients altogether, and it is their signs that count.
    Raises UnsupportedModelError where the network lets no gradient through.
    """
    with torch.enable_grad(), torch.autocast(pixels.device.type, enabled=False):
        leaf = pixels.detach().float().requires_grad_()
        logits = model.net(leaf.clone())  # a copy, since a network may normalise its input in place
        if not logits.requires_grad:
            raise UnsupportedModelError("no gradient reaches the pixels; let its forward pass be differentiable, without no_grad")
        (slope,) = torch.autograd.grad(logits, leaf, of(logits.detach()))
    return slope
