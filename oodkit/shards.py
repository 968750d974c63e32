"""Outputs on disk: a folder of fixed-size index-range shards, ``00003.safetensors``, beside a ``manifest.json``.

A shard holds the rows of the readable images among ``[k · shard_size, (k + 1) · shard_size)`` and, in its metadata, the others with
the reason. It appears under its name only when it is whole, so that what is there is what is done.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from oodkit.atomic import write_atomically
from oodkit.errors import OutputsError
from oodkit.head import Head
from oodkit.outputs import Outputs, Skipped

FORMAT = 1
HEAD_FILE = "head.safetensors"


@dataclass(frozen=True)
class Manifest:
    """What a folder of shards holds. count: images in the set, readable or not. about: model, transform, dtype, set, for people."""

    key: str
    count: int
    shard_size: int
    batch_size: int
    about: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def num_shards(self) -> int:
        return -(-self.count // self.shard_size)

    def shard_range(self, shard: int) -> range:
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.count))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``, whole or not at all."""
    text = json.dumps(asdict(manifest), indent=1)
    write_atomically(folder / "manifest.json", lambda path: path.write_text(text))


def read_manifest(folder: Path) -> Manifest | None:
    """The folder's manifest; None where there is none, or one that this version can't read."""
    try:
        facts = json.loads((folder / "manifest.json").read_text())
        return Manifest(**facts) if facts["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_shard(folder: Path, shard: int, tensors: Mapping[str, Tensor], skipped: list[Skipped]) -> None:
    """Write one shard, whole or not at all. tensors: by name, with the same images as rows; skipped: those that have none."""
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    metadata = {"skipped": json.dumps([asdict(one) for one in skipped])}
    write_atomically(_shard_path(folder, shard), lambda path: save_file(whole, path, metadata))


def read_shard(folder: Path, shard: int) -> tuple[dict[str, Tensor], list[Skipped]]:
    """The shard's tensors, memory-mapped, and the images it had to skip. Raises OutputsError where it is missing or damaged."""
    path = _shard_path(folder, shard)
    try:
        with safe_open(str(path), "pt") as file:
            skipped = [Skipped(**one) for one in json.loads((file.metadata() or {})["skipped"])]
            return {name: file.get_tensor(name) for name in file.keys()}, skipped  # noqa: SIM118 (safe_open is no mapping)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise OutputsError(f"can't read {path}: {error}; delete it and run again") from error


def missing_shards(folder: Path, manifest: Manifest) -> list[int]:
    """The shards still to be made; a damaged one counts as missing."""
    return [shard for shard in range(manifest.num_shards) if not _is_whole(folder, shard)]


def open_outputs(folder: Path) -> Outputs:
    """All shards of a complete folder as memory-mapped outputs."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise OutputsError(f"no outputs in {folder}: it has no readable manifest.json")
    head = Head.load(folder / HEAD_FILE)
    pieces, skipped = [], []
    for shard in range(manifest.num_shards):
        tensors, failures = read_shard(folder, shard)
        skipped += failures
        if len(tensors["features"]):
            pieces.append(
                Outputs(
                    tensors.pop("features"),
                    tensors.pop("labels"),
                    head=head,
                    logits=tensors.pop("logits"),
                    indices=tensors.pop("indices"),
                    extras=tensors,
                )
            )
    if not pieces:
        first = f"; the first: {skipped[0].name}: {skipped[0].reason}" if skipped else ""
        raise OutputsError(f"none of {manifest.count} images could be read{first}")
    outputs = Outputs.join(pieces)
    outputs.skipped = tuple(skipped)
    return outputs


def _shard_path(folder: Path, shard: int) -> Path:
    return folder / f"{shard:05}.safetensors"


def _is_whole(folder: Path, shard: int) -> bool:
    try:
        read_shard(folder, shard)
    except OutputsError:
        return False
    return True
