"""The assessment of synthetic images: what is measured, of which images, and in which order the sets come out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from oodkit.classifier import Classifier
from oodkit.extraction import Progress
from oodkit.images.base import ImageSet
from oodkit.synth.quality.found import Quality


def assess(
    real: ImageSet,
    synthetic: Mapping[str, ImageSet],
    extractor: Classifier,
    *,
    held_out: ImageSet | None = None,
    count: int | None = None,
    seed: int = 0,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    cache: str | Path | Literal[False] | None = None,
    progress: Progress | None = None,
) -> Quality:
    """Hold sets of synthetic images against real ones, all at the same number of images, class by class."""
    raise NotImplementedError
