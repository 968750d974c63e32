"""The contract of a probe: what needs the network again, and stores one more tensor beside features and logits."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from oodkit.classifier import Classifier


class Probe(ABC):
    """A further run of the network on each image. A subclass is a dataclass; its fields are its settings.

    name: its word in a spec. differentiates: whether it asks for gradients with regard to the pixels, which takes several times
    the memory of a forward pass.
    """

    name: ClassVar[str]
    differentiates: ClassVar[bool] = False

    def obstacle(self, model: Classifier) -> str | None:
        """Why the probe can't run on this network; None where it can."""
        return None

    @abstractmethod
    def run(self, model: Classifier, pixels: Tensor) -> Tensor:
        """(n, …) what it finds for a batch of (n, 3, H, W) normalised pixels, on their device; channels last, evaluation mode."""
