"""Accuracy and loss on validation images, while a network is trained."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from oodkit.classifier import Transform
from oodkit.images.base import ImageSet
from oodkit.training.learner import Learner
from oodkit.training.loop import Validated
from oodkit.training.recipes.base import Recipe

if TYPE_CHECKING:
    from accelerate import Accelerator


class Validation:
    """Called with a learner, it gives what it achieves on images; the processes share them.

    labels: a class each, as the learner counts them; images with −1 are left out. transform: that of evaluation.
    """

    def __init__(
        self,
        images: ImageSet,
        labels: Sequence[int],
        transform: Transform,
        recipe: Recipe,
        *,
        accelerator: "Accelerator",
        batch_size: int,
        workers: int | None = None,
    ) -> None: ...

    def __call__(self, learner: Learner) -> Validated:
        """In evaluation mode, without gradients; the learner is left in the mode that it was in."""
        raise NotImplementedError
