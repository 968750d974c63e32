"""Tensors and words in one safetensors file, under a checksum of both: what is read is what was written."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from oodkit.atomic import write_atomically
from oodkit.errors import OutputsError
from oodkit.wording import in_short

CHECKSUM = "checksum"


def save_stored(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write both to a safetensors file, whole or not at all."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    facts = {**metadata, CHECKSUM: _checksum_of_both(whole, metadata)}
    write_atomically(path, lambda temporary: save_file(whole, temporary, facts))


def load_stored(path: Path, what: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors by name, memory-mapped, and the metadata. A file without a checksum, as others write them, is read too.

    what: "a head", for the error. Raises OutputsError where the file is missing, damaged or no safetensors file.
    """
    try:
        tensors, facts = contents(path)
    except SafetensorError as error:
        why = f"it is damaged, or no safetensors file ({in_short(error)}); give one that oodkit wrote, or make it again"
        raise OutputsError(f"can't read {what} from {path}: {why}") from error
    except (OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise OutputsError(f"can't read {what} from {path}: {in_short(error)}") from error
    expected = facts.pop(CHECKSUM, None)
    if expected is not None and expected != _checksum_of_both(tensors, facts):
        raise OutputsError(f"can't read {what} from {path}: its contents are not those that were written; make it again")
    return tensors, facts


def contents(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors by name, memory-mapped, and the metadata of any safetensors file. Raises what safetensors raises, and OSError."""
    if not path.is_file():  # a pipe would be waited for
        raise FileNotFoundError("there is no such file")
    with safe_open(str(path), "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118 (no mapping)


def _checksum_of_both(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    return checksum(tensors, zlib.crc32(json.dumps(metadata, sort_keys=True).encode()))


def checksum(tensors: Mapping[str, Tensor], start: int = 0) -> str:
    """CRC-32 of names, types, shapes and bytes: it is for damage, not malice, and takes a third of the time of a digest."""
    value = start
    for name, tensor in sorted(tensors.items()):
        value = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), value)
        value = zlib.crc32(tensor.contiguous().flatten().view(torch.uint8).numpy().data, value)
    return f"{value:08x}"
