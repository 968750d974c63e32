"""The columns of outputs by name, in memory or on disk: one part of the rows after the other."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oodkit.errors import OutputsError

Part = Mapping[str, Tensor]
Array = Tensor | np.ndarray[Any, Any]
HALF = (torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


class ChunkPart(Mapping[str, Tensor]):
    """Slices of parts as one. A column is joined, moved and widened when first asked for, then kept for the next scorer."""

    def __init__(self, slices: Sequence[tuple[Part, slice]], device: torch.device) -> None:
        self.slices, self.device = slices, device
        self._columns: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._columns:
            column = joined([part[name][rows] for part, rows in self.slices]).to(self.device)
            self._columns[name] = column.float() if column.dtype in HALF else column
        return self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.slices[0][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.slices[0][0])

    def __len__(self) -> int:
        return len(self.slices[0][0])


class PickedPart(Mapping[str, Tensor]):
    """Some rows of a part under other ``indices``. A column is copied out anew whenever it is asked for, and never kept."""

    def __init__(self, part: Part, rows: Tensor, indices: Tensor, names: Iterable[str] | None = None) -> None:
        self.part, self.rows, self.indices, self.names = part, rows, indices, tuple(part if names is None else names)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.names:
            raise KeyError(name)
        return self.indices if name == "indices" else self.part[name][self.rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def picked(parts: Sequence[Part], positions: Tensor, most: int) -> list[Part]:
    """Of each part the rows whose ``indices`` are among ``positions``, ascending, which number them anew; ``most`` in one."""
    found: list[Part] = []
    for part in parts:
        rows = torch.isin(part["indices"], positions).nonzero().flatten()
        found += [PickedPart(part, own, torch.searchsorted(positions, part["indices"][own])) for own in torch.split(rows, most)]
    return [one for one in found if len(one["indices"])] or found[:1]


def only(part: Part, names: Iterable[str]) -> Part:
    """The part with these columns alone."""
    if isinstance(part, PickedPart):
        return PickedPart(part.part, part.rows, part.indices, names)
    return {name: part[name] for name in names}


def one_part(
    features: Array, labels: Array | None, logits: Array | None, indices: Array | None, extras: Mapping[str, Array]
) -> Part:
    """The columns of the same images. Raises OutputsError where they do not fit together, or features or logits are no floats."""
    columns = {name: tensor_of(name, found) for name, found in {"features": features, **extras}.items()}
    if columns["features"].ndim != 2:
        raise OutputsError(f"features must be (N, D), got {tuple(columns['features'].shape)}")
    rows = columns["features"].shape[0]  # which torch.export can follow, as it can't len()
    columns["labels"] = torch.full((rows,), -1) if labels is None else checked_labels(labels)
    columns["indices"] = torch.arange(rows) if indices is None else tensor_of("indices", indices).long().cpu()
    if columns["indices"].ndim != 1:
        raise OutputsError(f"indices must be (N,), got {tuple(columns['indices'].shape)}")
    if logits is not None:
        columns["logits"] = tensor_of("logits", logits)
        if columns["logits"].ndim != 2:
            raise OutputsError(f"logits must be (N, C), got {tuple(columns['logits'].shape)}")
    for name in ("features", "logits"):  # a head would round its own weights to the whole numbers of the features
        if name in columns and not columns[name].is_floating_point():
            raise OutputsError(f"{name} must be floats, got {columns[name].dtype}; give them in float32")
    for name, tensor in columns.items():
        if tensor.ndim == 0 or tensor.shape[0] != rows:
            raise OutputsError(f"features have {rows} rows, {name} have {len(tensor) if tensor.ndim else 'none'}")
    return columns


def checked_labels(labels: Array) -> Tensor:
    """(N,) int64 of labels. Raises OutputsError for other shapes and for a label below −1."""
    labels = tensor_of("labels", labels).long().cpu()
    if labels.ndim != 1:
        raise OutputsError(f"labels must be (N,), got {tuple(labels.shape)}")
    if len(labels) and (least := int(labels.min())) < -1:
        raise OutputsError(f"labels must be classes from 0, or −1 for none of them, got {least}")
    return labels


def row_numbers(rows: Tensor, count: int) -> Tensor:
    """(K,) int64 of what names some of ``count`` rows: (K,) integers, or (count,) bool. Raises OutputsError for anything else."""
    rows = rows.cpu()
    if rows.dtype == torch.bool and rows.shape == (count,):
        return rows.nonzero().flatten()
    if rows.ndim != 1 or rows.dtype not in INTEGERS:
        raise OutputsError(f"rows must be (K,) integers or ({count},) bool, got {tuple(rows.shape)} of {rows.dtype}")
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        raise OutputsError(f"there are {count} rows, numbered from 0, got numbers from {rows.min()} to {rows.max()}")
    return rows.long()


def tensor_of(what: str, values: object) -> Tensor:
    """A tensor that shares the memory of an array or tensor, and asks for no gradient. Raises OutputsError for what is neither."""
    if isinstance(values, Tensor):
        return values.detach() if values.requires_grad else values
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # and nobody writes to it here
            return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise OutputsError(f"{what} must be a tensor or an array of numbers, got {type(values).__name__}") from error


def versions(part: Part) -> list[int]:
    """How often each tensor of the part was changed in place, as far as PyTorch counts that; of a chunk, those it is cut from.

    A tensor made under ``torch.inference_mode`` has no count, and one shared with numpy counts its own changes only.
    """
    if isinstance(part, ChunkPart):
        return [version for own, _ in part.slices for version in versions(own)]
    if isinstance(part, PickedPart):
        return versions(part.part)
    return [-1 if tensor.is_inference() else tensor._version for tensor in part.values()]  # noqa: SLF001 (there is no other way to it)


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """The rows of all tensors, one after the other; a single one is not copied."""
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors))


def require_same_columns(part: Part, first: Part) -> None:
    """Raise OutputsError unless both have columns of the same names, shapes but for their rows, and dtypes."""
    for name in sorted({*part, *first}):
        got, expected = (_described(name, one) for one in (part, first))
        if got != expected:
            raise OutputsError(f"can't join outputs: the first have {expected}, others {got}; extract them all alike")


def _described(name: str, part: Part) -> str:
    if name not in part:
        return f"no {name}"
    return f"{name} ({', '.join(['N', *map(str, part[name].shape[1:])])}) as {part[name].dtype}"
