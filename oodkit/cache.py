"""Where extracted outputs are kept between runs, and what is there."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oodkit.errors import UsageError
from oodkit.shards import Manifest, missing_shards, read_manifest


@dataclass(frozen=True)
class Entry:
    """One model on one image set. bytes: its size on disk. missing: shards still to be made, 0 = complete."""

    folder: Path
    manifest: Manifest | None
    bytes: int
    missing: int

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

    Raises UsageError, before anything is deleted, where a key matches nothing.
    """
    entries = cache_entries(root)
    for key in keys or []:
        if not any(entry.key.startswith(key) for entry in entries):
            raise UsageError(f"no cache entry begins with {key!r}; `oodkit cache list` shows the keys")
    doomed = entries if keys is None else [entry for entry in entries if entry.key.startswith(tuple(keys))]
    for entry in doomed:
        shutil.rmtree(entry.folder)
    return doomed


def _entry(folder: Path) -> Entry:
    manifest = read_manifest(folder)
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    return Entry(folder, manifest, size, len(missing_shards(folder, manifest)) if manifest else 0)
