"""A fit, from an image set to a folder with a trained diffusion model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from oodkit.images.base import ImageSet
from oodkit.training.loop import Reached


def fit_generator(
    data: ImageSet,
    *,
    output: str | Path,
    size: int | None = None,
    channels: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    tensorboard: bool = False,
    progress: Callable[[Reached], None] | None = None,
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Path:
    """Train a diffusion model on images with labels, and give the folder, which ``FittedDiffusion`` samples."""
    raise NotImplementedError
