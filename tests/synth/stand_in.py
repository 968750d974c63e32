"""A generator without a network: noise by each image's own seed, over a brightness of its class. Milliseconds, on any machine."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from oodkit.synth.base import Generator, ImageClass, Request

CLASSES = tuple(
    ImageClass(folder, name, label=label) for label, (folder, name) in enumerate((("cat", "cat"), ("n02", "owl"), ("x_y", "x y")))
)


class StandIn(Generator):
    """Of three classes, 8 × 8 pixels. there: of how many images a class has, by its folder; None = they don't run out."""

    title = "Stand-in"

    def __init__(
        self,
        *,
        size: int = 8,
        classes: tuple[ImageClass, ...] | None = CLASSES,
        conditional: bool = True,
        batch_size: int = 4,
        there: Mapping[str, int] | None = None,
    ) -> None:
        self.spec, self.size, self.batch_size = "stand-in", size, batch_size
        self.classes, self.conditional = classes if conditional else None, conditional
        self.licence, self.facts = "CC0", {"revision": "1"}
        self.there = there
        self.asked: list[list[Request]] = []

    def generate(self, requests: Sequence[Request]) -> Tensor:
        self.asked.append(list(requests))
        return torch.stack([self.image(one) for one in requests])

    def image(self, request: Request) -> Tensor:
        noise = torch.randint(64, (3, self.size, self.size), generator=torch.Generator().manual_seed(request.seed))
        brightness = request.seed % 3 if request.of is None else max(0, request.of.label)
        return (64 * (brightness % 3) + noise).to(torch.uint8)

    def available(self, of: ImageClass | None) -> int | None:
        return None if self.there is None else self.there["" if of is None else of.folder]

    def prompt(self, of: ImageClass) -> str:
        return f"a photo of a {of.name}"
