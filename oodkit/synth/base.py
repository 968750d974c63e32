"""The contract of a generator: what it is asked for, and the images that it gives."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from oodkit.errors import UnreadableImageError

SeedScope = Literal["image", "batch", "none"]


@dataclass(frozen=True)
class ImageClass:
    """A class that images are made of.

    folder: the name of its folder, unique among the classes. name: for people and for prompts. definition: what the name means, ""
    where that is not known. label: the generator's own number of it, −1 where it has none.
    """

    folder: str
    name: str
    definition: str = ""
    label: int = -1


@dataclass(frozen=True)
class Request:
    """One image to be made: the index-th of its class, or of all where there are no classes; its seed is in [0, 2³²)."""

    of: ImageClass | None
    index: int
    seed: int


class Generator(ABC):
    """Makes images, by class or without.

    spec: as the user spelled it. size: the side of its images in pixels, None where they have sizes of their own. classes: all that
    it can make; None where it makes whatever a name says (text to image), and where it knows no classes. conditional: False where
    it can't be told which class to make: its images are given labels by a classifier. seed_scope: "image" where an image depends
    on its own seed alone (to rounding), "batch" where those made together share one, "none" where nothing is drawn. licence: of
    its weights, "unknown" where that is not stated. facts: what else decides its images, JSON-able: revision, hash of the weights,
    steps, guidance, truncation, precision. batch_size: what it makes at once by default on its device.
    """

    title: ClassVar[str] = ""  # what it is, for run.json and the page of generators
    spec: str
    size: int | None
    classes: tuple[ImageClass, ...] | None = None
    conditional: bool = True
    seed_scope: SeedScope = "image"
    licence: str = "unknown"
    facts: Mapping[str, Any]
    batch_size: int = 16

    @abstractmethod
    def generate(self, requests: Sequence[Request]) -> Tensor | Sequence[Tensor | UnreadableImageError]:
        """uint8 (3, H, W) for each request, in order; on any device, and a (N, 3, H, W) tensor will do.

        An error stands in the place of an image that can't be had, such as a broken file of images made elsewhere.
        """

    def available(self, of: ImageClass | None) -> int | None:
        """How many images there are of a class; None where they don't run out."""
        return None

    def prompt(self, of: ImageClass) -> str:
        """What the network is told of the class, where that is a text; else nothing."""
        return ""
