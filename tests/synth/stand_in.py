"""A generator without a network: noise by each image's own seed, over a brightness of its class. Milliseconds, on any machine."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import pytest
import torch
from torch import Tensor

from oodkit.synth.base import Generator, ImageClass, Request
from oodkit.synth.labelling import Verdict

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


class Looks:
    """A classifier and its labeller in one: the class by an image's brightness, and a confidence by its first pixel."""

    name = "looks"

    def __init__(self, _model: object = None, classes: Sequence[ImageClass] | None = None, **settings: Any) -> None:
        self.asked, self.classes, self.settings = classes, tuple(classes or CLASSES), settings
        self.folders = tuple(one.folder for one in CLASSES)

    def fingerprint(self) -> str:
        return "f00d"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, images: Sequence[Tensor], asked: Sequence[ImageClass | None]) -> list[Verdict]:
        return [self._verdict(image, of) for image, of in zip(images, asked, strict=True)]

    def _verdict(self, image: Tensor, of: ImageClass | None) -> Verdict:
        predicted, confidence = int(image.float().mean() // 64), int(image[0, 0, 0] % 64) / 63
        unsure = "unsure" if confidence < self.settings["min_confidence"] else ""
        disagreed = "disagreed" if self.settings["keep_agreeing"] and of != CLASSES[predicted] else ""
        return Verdict(of or CLASSES[predicted], predicted, confidence, disagreed or unsure)


@contextmanager
def labelling() -> Iterator[None]:
    """While open, Looks is what a plan gets for its labeller."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oodkit.synth.planning.Labeller", Looks)
        yield


class Stopping(StandIn):
    """Stops in the place of its n-th batch, as an interrupt, a crash or its own fault would stop it."""

    def __init__(self, after: int, error: BaseException) -> None:
        super().__init__()
        self.after, self.error = after, error

    def generate(self, requests: Sequence[Request]) -> Tensor:
        if len(self.asked) == self.after:
            raise self.error
        return super().generate(requests)
