"""The rows of outputs in memory or on disk: columns by name, one part after the other."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oodkit.errors import OutputsError

Part = Mapping[str, Tensor]
Array = Tensor | np.ndarray[Any, Any]
HALF = (torch.float16, torch.bfloat16)


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
