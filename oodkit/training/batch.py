"""What one training step learns from, and what it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass
class Batch:
    """What one step learns from.

    views: for each ``View`` of the recipe the images (B, 3, H, W), normalised. labels: (B,) int64. outliers: (B', 3, H, W), the
    first view of images of none of the classes; None where the recipe asks for none. progress: the share of the training that is
    done, in [0, 1).
    """

    views: tuple[Tensor, ...]
    labels: Tensor
    outliers: Tensor | None = None
    progress: float = 0.0

    @property
    def images(self) -> Tensor:
        return self.views[0]


@dataclass
class Found:
    """What a step comes to.

    parts: the terms of the loss by name, scalars; their sum is minimised. correct: (n,) bool, whether each answer is right (of a
    mixed image, whether it is the class with the larger share); None where nothing is answered.
    """

    parts: Mapping[str, Tensor]
    correct: Tensor | None = None
