"""Outputs on disk: a folder of fixed-size index-range shards, ``00003.safetensors``, beside a ``manifest.json``.

A shard holds the rows of the readable images among ``[k · shard_size, (k + 1) · shard_size)`` and, in its metadata, the others with
the reason. It appears under its name only when it is whole, so that what is there is what is done.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from oodkit.atomic import remove_stale, write_atomically
from oodkit.columns import Part
from oodkit.errors import OutputsError
from oodkit.head import Head
from oodkit.outputs import Outputs, Skipped
from oodkit.tensor_file import checksum, contents
from oodkit.wording import in_short

FORMAT = 1
HEAD_FILE = "head.safetensors"
MOST_SHARDS = 10**7  # a damaged manifest may name any number, and each would be looked for
COLUMNS = ("features", "logits", "labels", "indices")
ELSEWHERE = "choose another folder for the cache: --cache DIR"  # by cache= in Python


@dataclass(frozen=True)
class Manifest:
    """What a folder of shards holds.

    count: images in the set, readable or not. about: model, transform, dtype, set, for people. columns: what each shard has at
    least.
    """

    key: str
    count: int
    shard_size: int
    batch_size: int
    about: Mapping[str, Any] = field(default_factory=dict)
    columns: Sequence[str] = COLUMNS
    format: int = FORMAT

    @property
    def num_shards(self) -> int:
        return -(-self.count // self.shard_size)

    def shard_range(self, shard: int) -> range:
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.count))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``, whole or not at all."""
    text = json.dumps(asdict(manifest), indent=1)
    write_atomically(folder / "manifest.json", lambda path: path.write_text(text), ELSEWHERE)


def read_manifest(folder: Path) -> Manifest | None:
    """The folder's manifest; None where there is none, or one that this version can't read."""
    path = folder / "manifest.json"
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        facts = json.loads(path.read_text())
        manifest = Manifest(**{**facts, "columns": tuple(facts["columns"])})
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return manifest if manifest.format == FORMAT and _is_sound(manifest) else None


def _is_sound(manifest: Manifest) -> bool:
    counts = manifest.count, manifest.shard_size, manifest.batch_size
    words = manifest.key, *manifest.columns
    fits = all(type(count) is int for count in counts) and all(isinstance(word, str) for word in words)
    return (
        fits and isinstance(manifest.about, dict) and min(counts) >= 0 < manifest.shard_size and manifest.num_shards < MOST_SHARDS
    )


def write_shard(folder: Path, shard: int, tensors: Mapping[str, Tensor], skipped: list[Skipped]) -> None:
    """Write one shard, whole or not at all. tensors: by name, with the same images as rows; skipped: those that have none."""
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    metadata = {"skipped": json.dumps([asdict(one) for one in skipped]), "checksum": checksum(whole)}
    write_atomically(shard_path(folder, shard), lambda path: save_file(whole, path, metadata), ELSEWHERE)


def read_shard(
    folder: Path, shard: int, columns: Sequence[str] = COLUMNS, *, verify: bool = False
) -> tuple[dict[str, Tensor], list[Skipped]]:
    """The shard's tensors, memory-mapped, and the images it had to skip.

    columns: what it must have. verify: read every byte and compare with the checksum. Raises OutputsError where the shard is
    missing or damaged.
    """
    path = shard_path(folder, shard)
    try:
        tensors, facts = contents(path)
        if absent := [name for name in columns if name not in tensors]:
            raise ValueError(f"it has no {' and no '.join(absent)}")
        if len({len(tensor) for tensor in tensors.values()}) > 1:
            raise ValueError("its columns have different numbers of rows")
        if verify and checksum(tensors) != facts["checksum"]:
            raise ValueError("its contents are not those that were written")
        skipped = [Skipped(**one) for one in json.loads(facts["skipped"])]
        if not all(type(one.index) is int and isinstance(one.name, str) and isinstance(one.reason, str) for one in skipped):
            raise ValueError("its skipped images are not told as they must be")
        return tensors, skipped
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise OutputsError(f"can't read {path}: {in_short(error)}; delete it and run again") from error


def absent_shards(folder: Path, manifest: Manifest) -> list[int]:
    """The shards that are not there or can't be opened; quick, for it looks at no contents."""
    return [shard for shard in range(manifest.num_shards) if not _is_whole(folder, manifest.columns, shard, verify=False)]


def missing_shards(folder: Path, manifest: Manifest) -> list[int]:
    """The shards still to be made, for whoever makes them: one whose contents changed counts too, and what killed runs left goes.

    It reads every byte, half a second per GB on one core, so that no later step has to doubt what it reads.
    """
    remove_stale(folder)
    with ThreadPoolExecutor() as threads:
        whole = list(threads.map(partial(_is_whole, folder, manifest.columns, verify=True), range(manifest.num_shards)))
    return [shard for shard, there in enumerate(whole) if not there]


def open_outputs(folder: Path) -> Outputs:
    """All shards of a complete folder as memory-mapped outputs."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise OutputsError(f"no outputs in {folder}: it has no readable manifest.json")
    head = Head.load(folder / HEAD_FILE)
    pieces = [_piece(folder, shard, head) for shard in range(manifest.num_shards)]
    if not any(len(piece) for piece in pieces):
        failures = [one for piece in pieces for one in piece.skipped]
        first = f"; the first: {failures[0].name}: {failures[0].reason}" if failures else ""
        raise OutputsError(f"none of {manifest.count} images could be read{first}")
    return Outputs.join(pieces)


def open_parts(folder: Path, manifest: Manifest) -> list[Part]:
    """The columns of every shard, memory-mapped, for ``Outputs.with_extras``."""
    found = [read_shard(folder, shard, manifest.columns)[0] for shard in range(manifest.num_shards)]
    return [{name: tensors[name] for name in manifest.columns} for tensors in found]


def _piece(folder: Path, shard: int, head: Head) -> Outputs:
    tensors, skipped = read_shard(folder, shard)
    features, logits, labels, indices = (tensors.pop(name) for name in COLUMNS)
    piece = Outputs(features, labels, head=head, logits=logits, indices=indices, extras=tensors)
    piece.skipped = tuple(skipped)
    return piece


def shard_path(folder: Path, shard: int) -> Path:
    """Where a shard lies, whether it is there or not."""
    return folder / f"{shard:05}.safetensors"


def _is_whole(folder: Path, columns: Sequence[str], shard: int, *, verify: bool) -> bool:
    try:
        read_shard(folder, shard, columns, verify=verify)
    except OutputsError:
        return False
    return True
