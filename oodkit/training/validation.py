"""Accuracy and loss on validation images, while a network is trained."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet
from oodkit.models.base import Transform
from oodkit.reading import read_batches
from oodkit.training.learner import Learner
from oodkit.training.loop import Validated
from oodkit.training.recipes.base import Recipe

if TYPE_CHECKING:
    from accelerate import Accelerator


class Validation:
    """Called with a learner, it gives what it achieves on images; the processes share them.

    labels: a class each, as the learner counts them; images with −1, and such as can't be read, are left out. transform: that of
    evaluation. The loss is the mean cross-entropy; None where the recipe has a way of its own to make classes of what the network
    gives. Raises ImageSetError where no image has a class.
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
    ) -> None:
        self._images, self._labels, self._transform = images, torch.as_tensor(labels), transform
        self._predict = None if type(recipe).predict is Recipe.predict else recipe.predict
        self._accelerator, self._batch_size, self._workers = accelerator, batch_size, workers
        if not (self._labels >= 0).any():
            raise ImageSetError(f"none of the images of {images.spec} is of a class that is learned; choose another --val")

    @torch.no_grad()
    def __call__(self, learner: Learner) -> Validated:
        """In evaluation mode; the learner is left in the mode that it was in. Raises ImageSetError where no image can be read."""
        training = learner.training
        learner.eval()
        self._let_all_have_the_statistics_of_the_first(learner)
        sums = torch.zeros(3, device=self._accelerator.device)  # images, right answers, losses
        with self._accelerator.autocast():
            for pixels, labels in self._batches():
                sums += torch.stack([torch.full_like(sums[0], len(labels)), *self._judged(learner, pixels, labels)])
        learner.train(training)
        count, right, losses = self._accelerator.reduce(sums, "sum").tolist()
        if not count:
            raise ImageSetError(f"no image of {self._images.spec} can be read, so nothing can be validated; choose another --val")
        return Validated(right / count, losses / count if self._predict is None and math.isfinite(losses) else None)

    def _judged(self, learner: Learner, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """How many answers are right, and the sum of the losses, 0 with a recipe that has its own way to predict."""
        if self._predict is not None:
            return (self._predict(learner, pixels) == labels).sum().float(), torch.zeros((), device=labels.device)
        logits = learner.logits(pixels).float()
        return (logits.argmax(1) == labels).sum().float(), cross_entropy(logits, labels, reduction="sum")

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The share of this process, on the device."""
        device = self._accelerator.device
        known = torch.nonzero(self._labels >= 0).flatten().tolist()
        own = known[self._accelerator.process_index :: self._accelerator.num_processes]
        keys = [own[start : start + self._batch_size] for start in range(0, len(own), self._batch_size)]
        for read, pixels, _ in read_batches(self._images, self._transform, keys, workers=self._workers, lenient=True):
            if read:
                yield pixels.to(device), self._labels[read].to(device)

    def _let_all_have_the_statistics_of_the_first(self, learner: Learner) -> None:
        """Each process has seen other images, so the averages in normalisation layers differ; the first one's are saved."""
        if self._accelerator.num_processes > 1:
            from accelerate.utils import broadcast

            for buffer in learner.buffers():
                buffer.copy_(broadcast(buffer))
