"""Where extracted outputs are kept between runs, and what is there."""

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oodkit.errors import OodkitError, UsageError

if TYPE_CHECKING:
    from oodkit.shards import Manifest  # which needs torch; where the cache is can be asked without


@dataclass(frozen=True)
class Entry:
    """One model on one image set. bytes: its size on disk. missing: shards that are not there, 0 = complete.

    Where the manifest can't be read, nobody knows what is missing: then both are None.
    """

    folder: Path
    manifest: "Manifest | None"
    bytes: int
    missing: int | None

    @property
    def key(self) -> str:
        return self.folder.name

    def about(self, name: str) -> Any:
        return "?" if self.manifest is None else self.manifest.about.get(name, "?")


def cache_root() -> Path:
    """``OODKIT_CACHE``, else ``oodkit`` below ``XDG_CACHE_HOME``, else ``~/.cache/oodkit``."""
    if own := os.environ.get("OODKIT_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "oodkit"


def cache_entries(root: Path | None = None) -> list[Entry]:
    """Everything in the cache, by key. Folders that are no cache entries are left out, and so never cleared."""
    root = root or cache_root()
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [_entry(folder) for folder in folders if re.fullmatch(r"[0-9a-f]{24}", folder.name) and folder.is_dir()]


def clear_cache(keys: list[str] | None = None, root: Path | None = None) -> list[Entry]:
    """Delete the entries whose key starts with one of ``keys``, or all; returns what was deleted.

    Raises UsageError, before anything is deleted, where a key matches nothing, or is empty, such as an unset variable of a shell
    leaves it, and would match everything; OodkitError where an entry can't be deleted.
    """
    entries = cache_entries(root)
    for key in keys or []:
        if not key:
            raise UsageError("a key is empty; `oodkit cache list` shows the keys, and to clear everything none is given")
        if not any(entry.key.startswith(key) for entry in entries):
            raise UsageError(f"no cache entry begins with {key!r}; `oodkit cache list` shows the keys")
    doomed = entries if keys is None else [entry for entry in entries if entry.key.startswith(tuple(keys))]
    for entry in doomed:
        try:
            shutil.rmtree(entry.folder)
        except OSError as error:
            remedy = "where a run is still writing there, let it end or stop it, then clear again"
            raise OodkitError(f"can't delete all of {entry.folder}: {error.strerror or error}; {remedy}") from error
    return doomed


def _entry(folder: Path) -> Entry:
    from oodkit.shards import absent_shards, read_manifest

    manifest = read_manifest(folder)
    return Entry(folder, manifest, _bytes_in(folder), None if manifest is None else len(absent_shards(folder, manifest)))


def _bytes_in(folder: Path) -> int:
    total = 0
    with suppress(OSError):  # somebody clears the entry at this moment, or it is another user's
        for file in folder.iterdir():
            with suppress(FileNotFoundError):  # a running writer has renamed it since it was listed
                total += file.stat().st_size
    return total
