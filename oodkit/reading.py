"""Batches of images, decoded and transformed in worker processes while the network computes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from oodkit.errors import InputError, OodkitError, UnreadableImageError
from oodkit.models.base import Transform
from oodkit.processes import default_workers
from oodkit.wording import in_short

Key = TypeVar("Key")  # what images are asked for by: positions in a set, the entries of a stream
Loaded = TypeVar("Loaded")
Asked_contra = TypeVar("Asked_contra", contravariant=True)
Item = tuple[Key, Tensor | str | OodkitError]  # an image's key; the image, why it can't be read, or what ends the run
Batch = tuple[list[Key], Tensor, list[tuple[Key, str]]]  # n keys, their pixels (n, 3, H, W), and what could not be read
AHEAD = 4  # batches for each worker
REFUSED = "can't be transformed"


class Refusal(str):
    """Why the transform refused an image; every other reason is the image's own."""

    __slots__ = ()


class Readable(Protocol[Asked_contra]):
    """Whatever gives images by key, as image sets do by position; worker processes get a copy."""

    def transformed(self, key: Asked_contra, transform: Transform, /) -> Tensor:
        """What a network with this transform gets of the image; raises UnreadableImageError and what the transform does."""


def read_batches(
    images: Readable[Key],
    transform: Transform,
    batches: Iterable[Sequence[Key]],
    *,
    workers: int | None = None,
    pin_memory: bool = False,
    lenient: bool = False,
    most_ahead: int | None = None,
) -> Iterator[Batch[Key]]:
    """The images of the given keys, batch after batch, in order; those that can't be read come with the reason.

    batches: taken as they are needed and never held: four ahead for each worker or, where that is more than ``most_ahead`` images,
    fewer, but one. workers: processes that decode; None = one a core, at most 8, and none for a single batch. Raises InputError
    where the transform refuses a whole batch, unless ``lenient``, OodkitError where a worker dies or the disk fails.
    """
    workers = default_workers() if workers is None else workers
    rest = iter(batches)
    first = list(islice(rest, workers + 1))
    workers = max(0, min(workers, len(first) - 1))
    fitting = AHEAD if most_ahead is None or not workers else most_ahead // (workers * max(map(len, first)))
    loader = Loader(
        Reader(images, transform),
        batch_sampler=chain(first, rest),  # type: ignore[arg-type]  # typed as a Sampler, documented as any iterable
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin_memory,
        prefetch_factor=min(AHEAD, max(1, fitting)) if workers else None,
    )
    for batch in from_workers(loader):
        if isinstance(batch, OodkitError):
            raise batch
        if not lenient:
            _require_fitting_transform(batch)
        yield batch


class Reader(Dataset[Item[Key]]):
    """Images by key, each decoded and transformed, or with what stood in the way; it never raises."""

    def __init__(self, images: Readable[Key], transform: Transform) -> None:
        self.images, self.transform = images, transform

    def __getitem__(self, key: Key) -> Item[Key]:
        try:
            return key, self.images.transformed(key, self._guarded)
        except _RefusedError as error:
            return key, Refusal(f"{REFUSED}: {error}")
        except UnreadableImageError as error:
            return key, str(error)
        except OodkitError as error:  # to be raised in the main process, where it is one line and no worker's traceback
            return key, error

    def _guarded(self, image: Image.Image) -> Tensor:
        try:
            return self.transform(image)
        except Exception as error:  # one odd image, a pixel wide or a mile long, must not end the run
            raise _RefusedError(in_short(error) or type(error).__name__) from error


class _RefusedError(Exception):
    """Anything that the user's transform raises; it can't be mistaken for what the image set does."""


class Loader(DataLoader[Any]):
    """As many processes as were asked for, without PyTorch's warnings, two of each loader, where these are more than cores."""

    def check_worker_number_rationality(self) -> None:
        pass


def from_workers(loader: Iterable[Loaded]) -> Iterator[Loaded]:
    """What a ``DataLoader`` yields. Raises OodkitError where one of its worker processes dies."""
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        remedy = "what is done is kept; run again with fewer --workers, or with --workers 0"
        raise OodkitError(f"a process that decodes images died, perhaps for want of memory; {remedy}") from error


def _collate(items: list[Item[Key]]) -> Batch[Key] | OodkitError:
    for _, item in items:
        if isinstance(item, OodkitError):
            return item
    read = [(key, item) for key, item in items if isinstance(item, Tensor)]
    failed = [(key, item) for key, item in items if isinstance(item, str)]
    if len(shapes := {tuple(pixels.shape) for _, pixels in read}) > 1:
        return InputError(
            f"the transform makes images of different sizes, {' and '.join(map(str, sorted(shapes)[:2]))}; make it crop"
        )
    pixels = torch.stack([pixels for _, pixels in read]) if read else torch.empty(0)
    return [key for key, _ in read], pixels, failed


def _require_fitting_transform(batch: Batch[Key]) -> None:
    read, _, failed = batch
    if not read and len(failed) > 1 and all(isinstance(reason, Refusal) for _, reason in failed):
        raise InputError(f"a whole batch of images {failed[0][1]}; look at the transform")
