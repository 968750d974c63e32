"""Batches of images, decoded and transformed in worker processes while the network computes."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from oodkit.classifier import Transform
from oodkit.errors import InputError, OodkitError, UnreadableImageError
from oodkit.images.base import ImageSet

Item = tuple[int, Tensor | str | OodkitError]  # an image's position; the image, why it can't be read, or what ends the run
Batch = tuple[Tensor, Tensor, list[tuple[int, str]]]  # positions (n,), pixels (n, 3, H, W), and what could not be read
REFUSED = "can't be transformed"


def read_batches(
    images: ImageSet,
    transform: Transform,
    batches: Sequence[Sequence[int]],
    *,
    workers: int | None = None,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """The images at the given positions, batch after batch, in order; those that can't be read come with the reason.

    workers: processes that decode; None = one a core, at most 8, and none for a single batch. Raises InputError where the
    transform refuses a whole batch, OodkitError where a worker dies or the disk fails.
    """
    workers = min(8, _usable_cores()) if workers is None else workers
    workers = min(workers, len(batches) - 1)
    loader: DataLoader[Any] = DataLoader(
        Reader(images, transform),
        batch_sampler=batches,  # type: ignore[arg-type]  # typed as a Sampler, documented as any iterable
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin_memory,
        prefetch_factor=4 if workers else None,
    )
    try:
        for batch in loader:
            if isinstance(batch, OodkitError):
                raise batch
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        remedy = "what is done is kept; run again with fewer --workers, or with --workers 0"
        raise OodkitError(f"a process that decodes images died, perhaps for want of memory; {remedy}") from error


class Reader(Dataset[Item]):
    """Images by position, each decoded and transformed, or with what stood in the way; it never raises."""

    def __init__(self, images: ImageSet, transform: Transform) -> None:
        self.images, self.transform = images, transform

    def __getitem__(self, index: int) -> Item:
        try:
            return index, self.images.transformed(index, self._guarded)
        except _RefusedError as error:
            return index, f"{REFUSED}: {error}"
        except UnreadableImageError as error:
            return index, str(error)
        except OodkitError as error:  # to be raised in the main process, where it is one line and no worker's traceback
            return index, error

    def _guarded(self, image: Image.Image) -> Tensor:
        try:
            return self.transform(image)
        except Exception as error:  # one odd image, a pixel wide or a mile long, must not end the run
            raise _RefusedError(" ".join(str(error).split()) or type(error).__name__) from error


class _RefusedError(Exception):
    """Anything that the user's transform raises; it can't be mistaken for what the image set does."""


def _collate(items: list[Item]) -> Batch | OodkitError:
    for _, item in items:
        if isinstance(item, OodkitError):
            return item
    read = [(index, item) for index, item in items if isinstance(item, Tensor)]
    failed = [(index, item) for index, item in items if isinstance(item, str)]
    if not read and len(failed) > 1 and all(reason.startswith(REFUSED) for _, reason in failed):
        return InputError(f"a whole batch of images {failed[0][1]}; look at the transform")
    if len(shapes := {tuple(pixels.shape) for _, pixels in read}) > 1:
        return InputError(
            f"the transform makes images of different sizes, {' and '.join(map(str, sorted(shapes)[:2]))}; make it crop"
        )
    pixels = torch.stack([pixels for _, pixels in read]) if read else torch.empty(0)
    return torch.tensor([index for index, _ in read], dtype=torch.int64), pixels, failed


def _usable_cores() -> int:
    """In a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
