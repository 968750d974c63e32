"""A synthesis, from a generator to a folder of labelled images."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from oodkit.classifier import Classifier
from oodkit.images import open_images
from oodkit.images.base import ImageSet
from oodkit.synth.base import Generator, ImageClass

Progress = Callable[[int, int | None, str], None]
Document = dict[str, Any]


def synthesize(  # noqa: PLR0913 (one argument an option)
    generator: Generator | str,
    output: str | Path,
    *,
    classes: Sequence[ImageClass] | None = None,
    per_class: int | None = None,
    count: int | None = None,
    seed: int = 0,
    label_with: Classifier | None = None,
    min_confidence: float = 0.0,
    keep_agreeing: bool = False,
    batch_size: int | Literal["auto"] = "auto",
    size: int | None = None,
    save_format: Literal["png", "jpeg"] = "png",
    quality: int = 95,
    device: str = "auto",
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    **arguments: Any,
) -> ImageSet:
    """Make synthetic images by class into a folder, and open it."""
    return open_images(output)
