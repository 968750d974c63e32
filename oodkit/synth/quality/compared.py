"""The features of the images that are compared: read once, from the cache where they are there, and as many of every set."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from oodkit.classifier import Classifier
from oodkit.extraction import Progress, extract, extracted
from oodkit.images.base import ImageSet
from oodkit.images.limited import taken
from oodkit.outputs import Outputs
from oodkit.synth.quality.draws import Ints, counts, places_in_class

WHOLE = 2  # times as many images as are wanted are read at most


@dataclass(frozen=True)
class Reading:
    """How images are read and run; arguments as in ``oodkit.extract``."""

    model: Classifier
    device: str
    batch_size: int | None
    workers: int | None
    cache: str | Path | Literal[False] | None
    progress: Progress | None

    def read(self, what: str, images: ImageSet, picks: Sequence[Ints]) -> "Seen":
        """The outputs of the picked images; of the whole set where all of it is in the cache, or a good part of it is wanted.

        Another count, or a set more, picks other images, and then finds those of the whole set in the cache.
        """
        whole = extracted(self.model, images, cache=self.cache, labelled=False)
        if whole is not None:
            return Seen(whole, np.arange(len(images)))
        chosen = np.unique(np.concatenate(picks))
        if len(images) <= WHOLE * len(chosen):
            chosen = np.arange(len(images))
        part = images if len(chosen) == len(images) else taken(images, chosen)
        tell = self.progress
        outputs = extract(
            self.model,
            part,
            device=self.device,
            batch_size=self.batch_size,
            workers=self.workers,
            cache=self.cache,
            labelled=False,
            progress=tell and (lambda done, total, _what: tell(done, total, what)),
        )
        return Seen(outputs, chosen)


@dataclass(frozen=True, eq=False)
class Seen:
    """Outputs, and the positions in the image set that their indices count."""

    outputs: Outputs
    positions: Ints

    def to(self, device: torch.device) -> "Seen":
        """The same, whose chunks arrive on ``device``."""
        return Seen(self.outputs.to(device), self.positions)

    @property
    def readable(self) -> Ints:
        """(N,) the positions of the outputs."""
        found: Ints = self.positions[self.outputs.indices.numpy()]
        return found

    def rows(self, picks: Ints) -> Ints:
        """The rows (K,) of the picked images, −1 for one that could not be read."""
        indices = self.outputs.indices.numpy()
        wanted = np.searchsorted(self.positions, picks)
        rows = np.searchsorted(indices, wanted).clip(max=len(indices) - 1)
        return np.where(indices[rows] == wanted, rows, -1)


@dataclass(frozen=True, eq=False)
class Pick:
    """Images picked from a set: their positions and labels, (K,), sorted by label, and their rows in ``seen``, −1 = unreadable."""

    seen: Seen
    positions: Ints
    labels: Ints
    rows: Ints

    @classmethod
    def of(cls, seen: Seen, positions: Ints, labels: Ints) -> "Pick":
        return cls(seen, positions, labels[positions], seen.rows(positions))

    @property
    def unreadable(self) -> int:
        return int((self.rows < 0).sum())

    def counts(self, classes: int) -> Ints:
        """(C,) readable images by class."""
        return counts(self.labels[self.rows >= 0], classes)

    def first(self, each: Ints | None, device: torch.device) -> "Sample":
        """The first readable images of each class, (C,) as many; all of them for None. Copied to memory."""
        kept = np.flatnonzero(self.rows >= 0)
        if each is not None:
            kept = kept[places_in_class(self.labels[kept]) < each[self.labels[kept]]]
        outputs = self.seen.outputs.subset(torch.from_numpy(self.rows[kept])).to(device)
        return Sample(outputs, torch.from_numpy(self.labels[kept]).to(device), self.positions[kept])


@dataclass(frozen=True, eq=False)
class Sample:
    """Images to compare, in the order of their classes: outputs, labels (n,) and positions (n,) in their image set."""

    outputs: Outputs
    labels: Tensor
    positions: Ints

    @cached_property
    def features(self) -> Tensor:
        """(n, D) in float32, or float64 where that is what the network gave."""
        found = self.outputs.features
        return found if found.dtype == torch.float64 else found.float()

    def __len__(self) -> int:
        return len(self.positions)
