"""What a network says of a set of images: the waist between the image side and the tensor side."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.errors import OutputsError
from oodkit.head import Head

CHUNK_ROWS = 4096  # 4096 × 2048 features in float64 are 64 MiB: large enough for the matrix product, small beside any machine

Part = Mapping[str, Tensor]


@dataclass(frozen=True)
class Skipped:
    """An image that could not be read: its position in the set, its name, and why."""

    index: int
    name: str
    reason: str


class Outputs:
    """Features (N, D), logits (N, C), labels (N,) and the head that made the logits.

    A label of −1 means none of the classes. ``indices`` (N,) are the images' positions in their image set; they have gaps where
    an image could not be read. Where no logits are given, ``head`` makes them whenever they are asked for.

    ``skipped`` are the images that could not be read, ``notes`` what else the extraction has to tell; subsets keep both.

    The rows may lie in several parts (the shards of a folder, memory-mapped): ``features``, ``logits`` and ``labels`` put them
    together in memory; ``chunks`` goes through them in bounded memory.
    """

    def __init__(
        self,
        features: Tensor,
        labels: Tensor | None = None,
        *,
        head: Head | None = None,
        logits: Tensor | None = None,
        indices: Tensor | None = None,
        extras: Mapping[str, Tensor] | None = None,
    ) -> None:
        if features.ndim != 2:
            raise OutputsError(f"features must be (N, D), got {tuple(features.shape)}")
        rows = len(features)
        part = {"features": features, **(extras or {})}
        part["labels"] = torch.full((rows,), -1) if labels is None else labels.long()
        part["indices"] = torch.arange(rows) if indices is None else indices
        if logits is not None:
            part["logits"] = logits
        elif head is None:
            raise OutputsError("outputs need logits (N, C) or the head that makes them, got neither")
        for name, tensor in part.items():
            if len(tensor) != rows:
                raise OutputsError(f"features have {rows} rows, {name} have {len(tensor)}")
        self._parts: list[Part] = [part]
        self.head = head
        self.device = torch.device("cpu")
        self.skipped: tuple[Skipped, ...] = ()
        self.notes: tuple[str, ...] = ()
        self._check_head()

    def _check_head(self) -> None:
        if self.head is not None and self.head.num_features != self.num_features:
            raise OutputsError(f"the head takes {self.head.num_features} features, the outputs have {self.num_features}")

    def _changed(self, parts: Sequence[Part] | None = None, **attributes: object) -> "Outputs":
        other = copy(self)
        other._parts = self._parts if parts is None else list(parts)
        vars(other).update(attributes)
        other._check_head()
        return other

    @classmethod
    def join(cls, pieces: Sequence["Outputs"]) -> "Outputs":
        """The rows of all pieces, one after the other, without copying any. The first piece's head is kept."""
        if not pieces:
            raise OutputsError("nothing to join: got no outputs")
        return pieces[0]._changed([part for piece in pieces for part in piece._parts])

    def __len__(self) -> int:
        return sum(len(part["features"]) for part in self._parts)

    @property
    def num_features(self) -> int:
        return self._parts[0]["features"].shape[1]

    @property
    def num_classes(self) -> int:
        if self.head is not None:
            return self.head.num_classes
        return self._parts[0]["logits"].shape[1]

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
        return _joined([self._logits(part) for part in self._parts]).to(self.device)

    def extra(self, name: str) -> Tensor:
        """A probe's tensor, (N, …). Raises OutputsError where that probe did not run."""
        if name not in self._parts[0]:
            raise OutputsError(f"these outputs hold no {name!r}: that probe did not run")
        return self._column(name)

    def predictions(self) -> Tensor:
        """(N,) int64, the class of the largest logit."""
        return torch.cat([chunk.logits.argmax(1).cpu() for chunk in self.chunks()])

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator["Outputs"]:
        """The same rows in order, at most ``rows`` at a time, features and logits in float32 or float64, on ``self.device``."""
        for part in self._parts:
            for start in range(0, len(part["features"]), rows):
                piece = {name: tensor[start : start + rows].to(self.device) for name, tensor in part.items()}
                piece = {name: tensor.float() if tensor.dtype in _HALF else tensor for name, tensor in piece.items()}
                yield self._changed([piece])

    def subset(self, rows: Tensor) -> "Outputs":
        """The given rows: (K,) int64, in any order, or (N,) bool. They are copied to memory."""
        rows = rows.nonzero().flatten() if rows.dtype == torch.bool else rows
        return self._changed([{name: self._gather(name, rows) for name in self._parts[0]}])

    def with_head(self, head: Head) -> "Outputs":
        """The same images with the logits of another head; no forward pass."""
        parts = [{name: tensor for name, tensor in part.items() if name != "logits"} for part in self._parts]
        return self._changed(parts, head=head)

    def with_stored_logits(self) -> "Outputs":
        """The same rows with the head's logits made once and kept in memory, for whoever asks for them several times."""
        return self._changed([{**part, "logits": self._logits(part)} for part in self._parts])

    def with_labels(self, labels: Tensor) -> "Outputs":
        """The same images with other labels, (N,)."""
        sizes = [len(part["features"]) for part in self._parts]
        if len(labels) != sum(sizes):
            raise OutputsError(f"the outputs have {sum(sizes)} rows, the labels {len(labels)}")
        pieces = torch.split(labels.long(), sizes)
        return self._changed([{**part, "labels": own} for part, own in zip(self._parts, pieces, strict=True)])

    def to(self, device: torch.device | str) -> "Outputs":
        """The same outputs, whose chunks arrive on ``device``."""
        head = None if self.head is None else self.head.to(device)
        return self._changed(head=head, device=torch.device(device))

    def _column(self, name: str) -> Tensor:
        return _joined([part[name] for part in self._parts]).to(self.device)

    def _gather(self, name: str, rows: Tensor) -> Tensor:
        first = self._parts[0][name]
        gathered = torch.empty((len(rows), *first.shape[1:]), dtype=first.dtype)
        start = 0
        for part in self._parts:
            here = (rows >= start) & (rows < start + len(part[name]))
            gathered[here] = part[name][rows[here] - start]
            start += len(part[name])
        return gathered

    def _logits(self, part: Part) -> Tensor:
        if "logits" in part:
            return part["logits"]
        assert self.head is not None
        features = part["features"].to(self.device)
        return self.head(features.float() if features.dtype in _HALF else features)


_HALF = (torch.float16, torch.bfloat16)


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors))
