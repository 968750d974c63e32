"""The contract of a recipe: what it does to images, to labels and to the loss.

A recipe is a dataclass in a file of its own; its fields are its hyper-parameters. It gives the class attributes and, where it
differs from plain cross-entropy, some of the methods; then it joins ``RECIPES`` in ``__init__``. The loop, checkpoints, resuming,
SIO, the command line and the contract tests follow from these.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from oodkit.errors import UsageError
from oodkit.images.base import ImageSet
from oodkit.specs import changed_settings, spec_of
from oodkit.training.batch import Batch, Found
from oodkit.training.learner import Learner


@dataclass(frozen=True)
class View:
    """One way that the network is shown a training image, after the crop and the flip that all its views share.

    on_image: transforms of the PIL image, in order. on_tensor: of the normalised tensor (3, H, W). Callables that pickle.
    """

    on_image: tuple[Callable[[Any], Any], ...] = ()
    on_tensor: tuple[Callable[[Tensor], Tensor], ...] = ()


class Recipe:
    """One training recipe of the field. A subclass is a dataclass; its fields are its hyper-parameters.

    name: its word everywhere. title: the method's full name. paper: its source. needs: image sets that it can't do without beside
    the training images. trained_with: the ``Settings`` that belong to it, unless the user says otherwise. scored_by: the scorers
    that its paper judges by. note: what is to be said of the trained network's logits. leaves_unused: whether some parameters have
    no gradient in some steps. needs_linear_head: whether it trains only networks that end in one linear layer, whose features it
    reads. trains_head: whether that layer is trained; else no epoch's network is kept as the best.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    needs: ClassVar[frozenset[Literal["outliers", "mixing"]]] = frozenset()
    trained_with: ClassVar[Mapping[str, Any]] = {}
    scored_by: ClassVar[tuple[str, ...]] = ("mls",)
    note: ClassVar[str] = ""
    leaves_unused: ClassVar[bool] = False
    needs_linear_head: ClassVar[bool] = False
    trains_head: ClassVar[bool] = True

    def views(self, side: int, mixing: ImageSet | None = None) -> tuple[View, ...]:
        """How each image is shown; by default once, after crop and flip alone. side: of the images in pixels."""
        return (View(),)

    def adapt(self, net: nn.Module, head: str, num_classes: int) -> None:
        """Change the network before training, in place, such as its last layer, the ``nn.Linear`` that is named ``head``."""

    def modules(self, num_classes: int, num_features: int) -> nn.Module:
        """What is trained beside the network, or remembered in buffers: kept in checkpoints, no part of the trained network."""
        return nn.Module()

    def loss(self, learner: Learner, batch: Batch) -> Found:
        """The loss of one batch. What is drawn at random comes from torch's global generator, seeded for each step."""
        from torch.nn.functional import cross_entropy

        logits = learner.logits(batch.images).float()
        return Found({"cross-entropy": cross_entropy(logits, batch.labels)}, logits.argmax(1) == batch.labels)

    def predict(self, learner: Learner, images: Tensor) -> Tensor:
        """The classes (B,) that the finished network answers, for the accuracy on validation images, which chooses the best."""
        return learner.logits(images).argmax(1)

    def finish(self, net: nn.Module, head: str, extra: nn.Module) -> Mapping[str, str]:
        """Bring the trained network, in place, into the form of a plain checkpoint; entries for its metadata, such as ``head``."""
        return {}

    def facts(self) -> dict[str, Any]:
        """How it was trained, as a diagnosis takes it: the loss, and the strengths of what softens labels."""
        return {"loss": "ce", "label_smoothing": 0.0, "mixup": 0.0, "cutmix": 0.0}

    def settings(self) -> dict[str, Any]:
        """All its hyper-parameters, by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]  # every subclass is a dataclass

    def spec(self) -> str:
        """The recipe as ``parse_recipe`` reads it, such as ``mixup:alpha=1.0``: its name and the settings that were changed."""
        return spec_of(self.name, changed_settings(self))

    def require(self, fits: bool, expected: str) -> None:
        """Raise UsageError, in one line that names the recipe and its settings, unless ``fits``."""
        if not fits:
            settings = ", ".join(f"{name}={value!r}" for name, value in self.settings().items())
            raise UsageError(f"recipe {self.name} needs {expected}, got {settings}")
