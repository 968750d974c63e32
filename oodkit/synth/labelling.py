"""What a classifier makes of synthetic images: pseudo-labels, and whether it agrees with the class that was asked for."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple, Self

import torch
from PIL import Image
from torch import Tensor

from oodkit.classifier import Classifier
from oodkit.errors import InputError, UsageError
from oodkit.forward import Runner, default_batch_size, resolve_device
from oodkit.synth.base import ImageClass
from oodkit.synth.classes import classes_of, places_in
from oodkit.wording import counted, printable, raised

UNEVEN = 2  # so many times the images of the smallest class, the largest is told
REMEDY = "a network trained on them learns how frequent each is too: make more images, or ask for less confidence"


class Verdict(NamedTuple):
    """of: the class that the image stands for in the end. predicted: the model's top class, its index there. confidence: its
    softmax, in [0, 1]. dropped: why the image is not kept, "" where it is: "unsure" or "disagreed".
    """

    of: ImageClass
    predicted: int
    confidence: float
    dropped: str


class Labeller:
    """The classifier at work, with its own transform; used in a ``with``, while which its network is on the device.

    model: trained on real images. classes: those that images are asked for of; None where the generator can't be told: then the
    model's top class is the label (SIO, arXiv 2303.14531, section 3.1). min_confidence: the softmax of the top class that an image
    is kept from. keep_agreeing: drop images whose top class is not the one that was asked for.
    folders: of the model's classes in its order, the names that those asked for have.
    Raises UsageError where the model can't agree to some class, as it has no such class.
    """

    def __init__(
        self,
        model: Classifier,
        classes: Sequence[ImageClass] | None = None,
        *,
        min_confidence: float = 0.0,
        keep_agreeing: bool = False,
        device: str = "auto",
    ) -> None:
        self.classes = classes_of(model) if classes is None else tuple(classes)  # that images can stand for
        self._min_confidence, self._keep_agreeing, self._model = min_confidence, keep_agreeing, model
        places = range(len(self.classes)) if classes is None else places_in(model, self.classes)
        self._places = {one.folder: place for one, place in zip(self.classes, places, strict=True)}
        asked = {place: folder for folder, place in self._places.items()}
        self.folders = tuple(asked.get(one.label, one.folder) for one in classes_of(model))
        if keep_agreeing:
            self._require_all_known()
        place = resolve_device(device)
        self._runner = Runner(model, place, torch.float32, default_batch_size(model, place))
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self._runner.network_in_place())
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def __call__(self, images: Sequence[Tensor], asked: Sequence[ImageClass | None]) -> list[Verdict]:
        """What the model says of each image, uint8 (3, H, W) of any sizes; asked: the class of each, None where it has none yet.

        Raises InputError where the model's transform refuses an image, OodkitError where its logits are not finite.
        """
        if not images:
            return []
        logits = self._runner.run(torch.stack([self._shown(image) for image in images]))["logits"]
        confidence, predicted = logits.double().softmax(1).max(1)
        return [self._verdict(*one) for one in zip(asked, predicted.tolist(), confidence.tolist(), strict=True)]

    def _shown(self, image: Tensor) -> Tensor:
        try:
            return self._model.transform(Image.fromarray(image.permute(1, 2, 0).contiguous().cpu().numpy()))
        except Exception as error:  # a stranger's transform may raise anything
            size = " × ".join(map(str, image.shape[1:]))
            reason = f"its transform raised {raised(error)}"
            raise InputError(f"{self._model.name} can't label an image of {size} pixels: {reason}") from error

    def _verdict(self, asked: ImageClass | None, predicted: int, confidence: float) -> Verdict:
        of = self.classes[predicted] if asked is None else asked
        disagrees = self._keep_agreeing and self._places[of.folder] != predicted
        dropped = "disagreed" if disagrees else "unsure" if confidence < self._min_confidence else ""
        return Verdict(of, predicted, confidence, dropped)

    def _require_all_known(self) -> None:
        unknown = [one for one in self.classes if self._places[one.folder] < 0]
        if unknown:
            raise UsageError(
                f"{self._model.name} can't agree to {len(unknown)} of {counted(len(self.classes), 'class', 'classes')}, such as "
                f"{printable(repr(unknown[0].name))}, which it does not have; leave them or --keep-agreeing out"
            )


def imbalance(kept: Mapping[str, int]) -> str | None:
    """One line where classes, by folder with the number of images kept, got nothing or differ by more than twice; else None.

    A network that is trained on such images learns the frequencies with the classes.
    """
    empty = [folder for folder, count in kept.items() if not count]
    most, least = max(kept, key=kept.__getitem__, default=""), min(kept, key=kept.__getitem__, default="")
    if empty and len(empty) == len(kept):
        return None
    if empty:
        return f"no image was kept of {len(empty)} of {len(kept)} classes, such as {_quoted(empty[0])}; {REMEDY}"
    if kept and kept[most] > UNEVEN * kept[least]:
        return f"classes are uneven: {kept[most]} images of {_quoted(most)}, {kept[least]} of {_quoted(least)}; {REMEDY}"
    return None


def _quoted(folder: str) -> str:
    """Classes may be called by numbers, which would be read as numbers of images."""
    return printable(repr(folder))
