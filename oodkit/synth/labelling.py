"""What a classifier makes of synthetic images: pseudo-labels, and whether it agrees with the class that was asked for."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from torch import Tensor

from oodkit.classifier import Classifier
from oodkit.synth.base import ImageClass


class Verdict(NamedTuple):
    """of: the class that the image stands for in the end. predicted: the model's top class, its index there. confidence: its
    softmax, in [0, 1]. dropped: why the image is not kept, "" where it is: "unsure" or "disagreed".
    """

    of: ImageClass
    predicted: int
    confidence: float
    dropped: str


class Labeller:
    """The classifier at work; used in a ``with``, while which its network is on the device.

    classes: those that images are asked for of; None where the generator can't be told: then the model's top class is the label.
    """

    classes: tuple[ImageClass, ...]  # asked for, or else the model's own

    def __init__(
        self,
        model: Classifier,
        classes: Sequence[ImageClass] | None = None,
        *,
        min_confidence: float = 0.0,
        keep_agreeing: bool = False,
        device: str = "auto",
    ) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError

    def __call__(self, images: Sequence[Tensor], asked: Sequence[ImageClass | None]) -> list[Verdict]:
        """What the model says of each image, uint8 (3, H, W) of any sizes; asked: the class of each, None where it has none yet."""
        raise NotImplementedError


def imbalance(kept: Mapping[str, int]) -> str | None:
    """One line where classes, by folder with the number of images kept, got nothing or differ by more than twice; else None."""
    raise NotImplementedError
