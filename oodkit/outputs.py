"""What a network says of a set of images: the waist between the image side and the tensor side."""

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from oodkit.columns import (
    HALF,
    Array,
    ChunkPart,
    Part,
    checked_labels,
    joined,
    one_part,
    only,
    picked,
    require_same_columns,
    row_numbers,
    versions,
)
from oodkit.errors import OutputsError, UsageError
from oodkit.head import Head

CHUNK_ROWS = 4096  # 4096 × 2048 features in float64 are 64 MiB: large enough for the matrix product, small beside any machine


@dataclass(frozen=True)
class Skipped:
    """An image that could not be read: its position in the set, its name, and why."""

    index: int
    name: str
    reason: str


class Outputs:
    """Features (N, D), logits (N, C), labels (N,) and the head that made the logits; tensors or numpy arrays, never written to.

    A label of −1 means none of the classes. ``indices`` (N,) are the images' positions in their image set; they have gaps where
    an image could not be read. Where no logits are given, ``head`` makes them whenever they are asked for.

    ``skipped`` are the images that could not be read, ``notes`` what else the extraction has to tell, ``obstacles``, by a probe's
    spec, why it can't run on this network; subsets keep them.
    Raises OutputsError where the tensors do not fit together, and for features or logits that are no floats.

    The rows may lie in several parts (the shards of a folder, memory-mapped): ``features``, ``logits`` and ``labels`` put them
    together in memory; ``chunks`` goes through them in bounded memory.
    """

    def __init__(
        self,
        features: Array,
        labels: Array | None = None,
        *,
        head: Head | None = None,
        logits: Array | None = None,
        indices: Array | None = None,
        extras: Mapping[str, Array] | None = None,
    ) -> None:
        part = one_part(features, labels, logits, indices, extras or {})
        if logits is None and head is None:
            raise OutputsError("outputs need logits (N, C) or the head that makes them, got neither")
        if logits is not None and head is not None and part["logits"].shape[1] != head.num_classes:
            raise OutputsError(f"logits must be (N, {head.num_classes} classes of the head), got {tuple(part['logits'].shape)}")
        self._parts: list[Part] = [part]
        self.head = head
        self.device = torch.device("cpu")
        self.skipped: tuple[Skipped, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.obstacles: Mapping[str, str] = {}
        if head is not None:
            self._require_width(head)

    def _changed(self, parts: Sequence[Part] | None = None, **attributes: object) -> "Outputs":
        other = copy(self)
        other._parts = self._parts if parts is None else list(parts)
        vars(other).update(attributes)
        return other

    @classmethod
    def join(cls, pieces: Sequence["Outputs"]) -> "Outputs":
        """The rows of all pieces, one after the other, without copying any; what they skipped and noted, each once.

        Raises OutputsError where there are none, or they differ in their columns, dtypes or heads.
        """
        if not pieces:
            raise OutputsError("nothing to join: got no outputs")
        first = pieces[0]
        for piece in pieces[1:]:
            require_same_columns(piece._parts[0], first._parts[0])
            if not (piece.head is first.head or (piece.head is not None and piece.head.is_same(first.head))):
                raise OutputsError("can't join outputs of different heads; give them one head with with_head(head)")
        skipped = dict.fromkeys(one for piece in pieces for one in piece.skipped)
        notes = dict.fromkeys(note for piece in pieces for note in piece.notes)
        parts = [part for piece in pieces for part in piece._parts]
        return first._changed(parts, skipped=tuple(skipped), notes=tuple(notes))

    def __len__(self) -> int:
        return sum(self._sizes())

    @property
    def num_features(self) -> int:
        return self._parts[0]["features"].shape[1]

    @property
    def num_classes(self) -> int:
        if self.head is not None:
            return self.head.num_classes
        return self._parts[0]["logits"].shape[1]

    @property
    def dtype(self) -> torch.dtype:
        """Of the features as stored, which is what the network ran in."""
        return self._parts[0]["features"].dtype

    @property
    def row_bytes(self) -> int:
        """What an image takes in all columns together, as stored."""
        return sum(column.element_size() * math.prod(column.shape[1:]) for column in self._parts[0].values())

    @property
    def features(self) -> Tensor:
        """(N, D), as stored."""
        return self._column("features")

    @property
    def labels(self) -> Tensor:
        """(N,) int64; −1 = none of the classes."""
        return self._column("labels")

    @property
    def indices(self) -> Tensor:
        """(N,) positions in the image set."""
        return self._column("indices")

    @property
    def logits(self) -> Tensor:
        """(N, C), stored or made by the head."""
        return joined([self._logits(part) for part in self._parts]).to(self.device)

    def extra(self, name: str) -> Tensor:
        """A probe's tensor, (N, …). Raises OutputsError where that probe did not run."""
        if name not in self._parts[0]:
            raise OutputsError(f"these outputs hold no {name!r}: {self.obstacles.get(name, 'that probe did not run')}")
        return self._column(name)

    def predictions(self) -> Tensor:
        """(N,) int64, the class of the largest logit."""
        found = torch.empty(len(self), dtype=torch.int64)
        for rows, chunk in zip(torch.split(found, CHUNK_ROWS), self.chunks(), strict=False):  # of no rows: one and none
            rows.copy_(chunk.logits.argmax(1))
        return found

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator["Outputs"]:
        """The same rows in order, ``rows`` at a time, features and logits in float32 or float64, on ``self.device``.

        A column of a chunk is made when it is first asked for. Of a chunk it gives that chunk itself, so that one scorer can find
        what another made of it. Raises UsageError for less than one row at a time.
        """
        if rows < 1:
            raise UsageError(f"a chunk has at least 1 row, got {rows}")
        match self._parts:
            case [ChunkPart() as only] if only.device == self.device and len(self) <= rows:
                yield self
                return
        slices: list[tuple[Part, slice]] = []
        room = rows
        for part, size in zip(self._parts, self._sizes(), strict=True):
            start = 0
            while start < size:
                stop = min(start + room, size)
                slices.append((part, slice(start, stop)))
                start, room = stop, room - (stop - start)
                if room == 0:
                    yield self._changed([ChunkPart(slices, self.device)])
                    slices, room = [], rows
        if slices:
            yield self._changed([ChunkPart(slices, self.device)])

    def subset(self, rows: Tensor) -> "Outputs":
        """The given rows: (K,) integers from 0 to N − 1, in any order, or (N,) bool. They are copied to memory.

        Raises OutputsError for other shapes and for rows that are not there.
        """
        rows = row_numbers(rows, len(self))
        order = rows.argsort(stable=True)
        ascending = rows[order]
        sizes = self._sizes()
        ends = torch.tensor(sizes).cumsum(0)
        counts = torch.searchsorted(ascending, ends).diff(prepend=torch.zeros(1, dtype=torch.int64)).tolist()
        starts = (ends - torch.tensor(sizes)).tolist()
        split = zip(self._parts, starts, torch.split(ascending, counts), torch.split(order, counts), strict=True)
        moves = [(part, numbers - start, places) for part, start, numbers, places in split if len(places)]
        return self._changed([{name: self._gathered(name, len(rows), moves) for name in self._parts[0]}])

    def of_images(self, positions: Tensor) -> "Outputs":
        """Those of the images at these positions in the image set, (K,) ascending, numbered as in a set of them alone.

        Nothing is copied: the rows are picked out whenever a chunk is asked for.
        """
        whole = torch.equal(positions, torch.arange(len(positions)))
        if whole and all((part["indices"] < len(positions)).all() for part in self._parts):
            return self
        places = {position: place for place, position in enumerate(positions.tolist())}
        skipped = tuple(replace(one, index=places[one.index]) for one in self.skipped if one.index in places)
        return self._changed(picked(self._parts, positions, CHUNK_ROWS), skipped=skipped)

    def with_head(self, head: Head) -> "Outputs":
        """The same images with the logits of another head; no forward pass, and nothing that a probe found with the head before.

        Raises OutputsError where it takes other features.
        """
        self._require_width(head)
        probes = [name for name in self._parts[0] if name not in _OWN_COLUMNS]
        why = "it ran with another head; extract again with the head applied"
        parts = [only(part, _OF_ANY_HEAD) for part in self._parts]
        return self._changed(parts, head=head, obstacles={**self.obstacles, **dict.fromkeys(probes, why)})

    def with_extras(self, parts: Sequence[Part]) -> "Outputs":
        """The same images with what a probe found: parts of an own column each beside the ``indices`` of its rows.

        Raises OutputsError where the probe read other images, or in other parts.
        """
        if len(parts) != len(self._parts) or not all(
            torch.equal(part["indices"], own["indices"]) for part, own in zip(parts, self._parts, strict=True)
        ):
            raise OutputsError("the probe could read other images than the forward pass; clear both from the cache and run again")
        return self._changed([{**part, **own} for part, own in zip(parts, self._parts, strict=True)])

    def with_stored_logits(self) -> "Outputs":
        """The same rows with the head's logits made once and kept in memory, for whoever asks for them several times."""
        return self._changed([part if "logits" in part else {**part, "logits": self._logits(part)} for part in self._parts])

    def with_labels(self, labels: Array) -> "Outputs":
        """The same images with other labels, (N,), −1 = none of the classes. Raises OutputsError where they don't fit."""
        labels = checked_labels(labels)
        if len(labels) != len(self):
            raise OutputsError(f"the outputs have {len(self)} rows, the labels {len(labels)}")
        pieces = torch.split(labels, self._sizes())
        return self._changed([{**part, "labels": own} for part, own in zip(self._parts, pieces, strict=True)])

    def to(self, device: torch.device | str) -> "Outputs":
        """The same outputs, whose chunks arrive on ``device``. Raises UsageError for MPS, which has no float64."""
        if torch.device(device).type == "mps":
            raise UsageError("scorers compute in float64, which MPS lacks; use cpu here (the forward pass may run on mps)")
        head = None if self.head is None else self.head.to(device)
        return self._changed(head=head, device=torch.device(device))

    def versions(self) -> tuple[int, ...]:
        """Numbers that are others once a tensor of these outputs, or of their head, was changed in place."""
        of_head = [] if self.head is None else versions({"weight": self.head.weight, "bias": self.head.bias})
        return (*of_head, *(version for part in self._parts for version in versions(part)))

    def _column(self, name: str) -> Tensor:
        return joined([part[name] for part in self._parts]).to(self.device)

    def _sizes(self) -> list[int]:
        return [len(part["labels"]) for part in self._parts]

    def _require_width(self, head: Head) -> None:
        if head.num_features != self.num_features:
            raise OutputsError(f"the head takes {head.num_features} features, the outputs have {self.num_features}")

    def _gathered(self, name: str, count: int, moves: Sequence[tuple[Part, Tensor, Tensor]]) -> Tensor:
        """(count, …), filled from each part: its rows, and the places where they go."""
        first = self._parts[0][name]
        column = torch.empty((count, *first.shape[1:]), dtype=first.dtype)
        for part, numbers, places in moves:
            column[places] = part[name][numbers].cpu()
        return column

    def _logits(self, part: Part) -> Tensor:
        if "logits" in part:
            return part["logits"]
        assert self.head is not None
        features = part["features"].to(self.device)
        return self.head(features.float() if features.dtype in HALF else features)


_OF_ANY_HEAD = ("features", "labels", "indices")
_OWN_COLUMNS = (*_OF_ANY_HEAD, "logits")
