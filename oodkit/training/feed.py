"""The batches of a training run, decoded and augmented in worker processes while the network learns."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from oodkit.errors import InputError, OodkitError, UnreadableImageError
from oodkit.processes import default_workers
from oodkit.reading import REFUSED, Loader, from_workers
from oodkit.training.augment import TrainTransform, seed_generators
from oodkit.training.batch import Batch
from oodkit.training.draws import Draws, Key, Source
from oodkit.training.interruption import leave_signals_to_parent
from oodkit.training.pools import Pool
from oodkit.wording import in_short, printable

Views = tuple[Tensor, ...]
AHEAD = 2  # batches for each worker


class Feed:
    """What each step learns from, by the number of the step: the images that ``draws`` names, as ``transform`` shows them.

    An image that can't be read, or that the transform refuses, is left out of its batch; one left alone there comes twice. Outliers
    are shown in the first view alone. unreadable: what was left out of this process's batches so far, by name and set, and why.
    """

    def __init__(
        self, real: Pool, transform: TrainTransform, draws: Draws, *, synthetic: Pool | None = None, outliers: Pool | None = None
    ) -> None:
        given: dict[Source, Pool | None] = {"real": real, "synthetic": synthetic, "outlier": outliers}
        self._reader = _Reader({source: pool for source, pool in given.items() if pool is not None}, transform)
        self.draws = draws
        self.unreadable: dict[str, str] = {}

    def batches(self, start_step: int, stop_step: int, *, workers: int | None = None, pin_memory: bool = False) -> Iterator[Batch]:
        """The batches of steps ``start_step`` to ``stop_step`` − 1, on the CPU; the same whatever the number of workers.

        workers: processes that decode, for all these steps; None = one a core, at most 8, 0 = none but this one, whose generators
        are then seeded for each image (see ``kept_generators``). Raises InputError where no image of a batch can be read, or no
        outlier, and OodkitError where a worker dies, the disk fails, or what a recipe mixes in can't be read.
        """
        workers = default_workers() if workers is None else workers
        workers = max(0, min(workers, stop_step - start_step - 1))
        loader = Loader(
            self._reader,
            batch_sampler=map(self.draws.batch, range(start_step, stop_step)),
            num_workers=workers,
            collate_fn=_collate,
            pin_memory=pin_memory,
            prefetch_factor=AHEAD if workers else None,
            worker_init_fn=leave_signals_to_parent,
            generator=torch.Generator(),  # or the loader would draw from the global one
        )
        for step, read in enumerate(from_workers(loader), start_step):
            yield self._batch(read, step)

    def _batch(self, read: "_Read | OodkitError", step: int) -> Batch:
        if isinstance(read, OodkitError):
            raise read
        self.unreadable |= dict(read.failed)
        if read.views is None or (read.outliers is None and self.draws.outliers_per_batch):
            name, reason = read.failed[0] if read.views is None else read.failed[-1]
            what = "image" if read.views is None else "outlier"
            raise InputError(f"no {what} of the batch of step {step} can be read, such as {name}: {reason}; look at the set")
        views, labels = tuple(read.views), read.labels  # as they are: a copy would not lie in pinned memory
        if len(labels) == 1 < self.draws.batch_size:  # batch normalisation can't learn from one image
            views, labels = tuple(view.repeat(2, 1, 1, 1) for view in views), labels.repeat(2)
        return Batch(views, labels, read.outliers)


class _Item(NamedTuple):
    """One image of a batch: its views, why there are none, or what ends the run."""

    source: Source
    name: str
    label: int
    views: Views | str | OodkitError


class _Read(NamedTuple):
    """A batch as a worker sends it. views: None where no image could be read. failed: names and reasons, outliers last."""

    views: Views | None
    labels: Tensor
    outliers: Tensor | None
    failed: list[tuple[str, str]]


class _Reader(Dataset[_Item]):
    """Images by key, each decoded and augmented by the seed of its key, or with what stood in the way; it never raises."""

    def __init__(self, pools: Mapping[Source, Pool], transform: TrainTransform) -> None:
        self._pools, self._transform = pools, transform
        self._first_view = replace(transform, views=transform.views[:1])

    def __getitem__(self, key: Key) -> _Item:
        pool = self._pools[key.source]
        views = self._views(pool, key)
        name = "" if isinstance(views, tuple) else printable(f"{pool.images.image_name(key.position)} of {pool.images.spec}")
        return _Item(key.source, name, int(pool.labels[key.position]), views)

    def _views(self, pool: Pool, key: Key) -> Views | str | OodkitError:
        transform = self._first_view if key.source == "outlier" else self._transform
        try:
            image = pool.images.load(key.position)
        except UnreadableImageError as error:
            return str(error)
        except OodkitError as error:  # to be raised in the main process, where it is one line and no worker's traceback
            return error
        try:
            seed_generators(key.seed)
            return transform(image)
        except OodkitError as error:  # of other images than this one, which a recipe mixes in
            return error
        except Exception as error:  # noqa: BLE001 (one odd image must not end the run; a whole batch of them does)
            return f"{REFUSED}: {in_short(error) or type(error).__name__}"


def _collate(items: list[_Item]) -> _Read | OodkitError:
    for item in items:
        if isinstance(item.views, OodkitError):
            return item.views
    read = [(item, item.views) for item in items if isinstance(item.views, tuple)]
    return _Read(
        _stacked([views for item, views in read if item.source != "outlier"]),
        torch.tensor([item.label for item, _ in read if item.source != "outlier"], dtype=torch.int64),
        (_stacked([views for item, views in read if item.source == "outlier"]) or [None])[0],
        [(item.name, item.views) for item in items if isinstance(item.views, str)],
    )


def _stacked(images: list[Views]) -> Views | None:
    """The views of n images as batches (n, 3, H, W), one for each view; None for no images."""
    # default_collate stacks into memory that processes share, which saves a copy
    return tuple(default_collate(list(view)) for view in zip(*images, strict=True)) or None
