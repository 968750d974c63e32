"""What a network made, as pixels."""

import torch
from torch import Tensor

from oodkit.errors import GeneratorError


def as_pixels(images: Tensor) -> Tensor:
    """Images in [−1, 1] as uint8."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def finite_pixels(images: Tensor, who: str) -> Tensor:
    """The same of a generator, as an error names it. Raises GeneratorError for NaN and infinity."""
    if not bool(images.isfinite().all()):
        raise GeneratorError(f"{who} made images that are not finite; try --generator-arg dtype=float32")
    return as_pixels(images)
