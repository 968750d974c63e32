"""Image sets that are files below one folder: class folders, flat folders, image lists."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from oodkit.images.base import ImageSet
from oodkit.images.decode import decode
from oodkit.wording import printable

ABSENT = (-1, -1)


class FileSet(ImageSet):
    """Image files by their paths below ``root``.

    The paths lie in one byte string: a million of them take a third of the memory of a list, and worker processes, which count
    references, do not copy them.
    """

    def __init__(
        self,
        spec: str,
        root: Path,
        paths: Sequence[str],
        labels: np.ndarray | Sequence[int],
        class_names: tuple[str, ...] | None = None,
    ) -> None:
        encoded = [os.fsencode(path) for path in paths]
        self.spec, self.root, self.class_names = spec, root, class_names
        self.labels = np.asarray(labels, dtype=np.int64)
        self._paths = b"".join(encoded)
        self._ends = np.cumsum([len(path) for path in encoded], dtype=np.int64)
        self._sizes: np.ndarray | None = None

    def path(self, index: int) -> str:
        """The path below the root, as the file system spells it."""
        return os.fsdecode(self._encoded(range(len(self))[index]))

    def source(self, index: int) -> Path:
        return self.root / self.path(index)

    def stored_size(self, index: int) -> int:
        return _size_and_time(self._folder() + self._encoded(index))[0] if self._sizes is None else int(self._sizes[index])

    def load(self, index: int) -> Image.Image:
        return decode(self.source(index))

    def image_name(self, index: int) -> str:
        return printable(self.path(index))

    def exists(self, index: int) -> bool:
        return os.path.exists(os.path.join(self.root, self.path(index)))  # noqa: PTH110, PTH118  # a million of these in a row

    def fingerprint(self) -> str:
        """A hash of the root and of each file's path, label, size and time of change.

        The sizes are kept: to ask the file system for a million of them again would take seconds.
        """
        digest = hashlib.blake2b(os.fsencode(self.root.resolve()), digest_size=16)
        digest.update(self._paths)
        digest.update(self._ends.tobytes())
        digest.update(self.labels.tobytes())
        folder, sizes = self._folder(), np.empty(len(self), dtype=np.int64)
        for index in range(len(self)):
            facts = _size_and_time(folder + self._encoded(index))
            digest.update(b"%d %d\n" % facts)
            sizes[index] = facts[0]
        self._sizes = sizes
        return digest.hexdigest()

    def take(self, indices: np.ndarray) -> Self:
        """The set of the files at ``indices`` only."""
        paths = [self.path(index) for index in indices]
        return type(self)(self.spec, self.root, paths, self.labels[indices], self.class_names)

    def _folder(self) -> bytes:
        return os.fsencode(self.root) + os.sep.encode()

    def _encoded(self, index: int) -> bytes:
        start = self._ends[index - 1] if index else 0
        return self._paths[start : self._ends[index]]


def _size_and_time(path: bytes) -> tuple[int, int]:
    try:
        facts = os.stat(path)  # noqa: PTH116  # bytes, and a million of them
    except (OSError, ValueError):  # a list may name what can be no path
        return ABSENT
    return facts.st_size, facts.st_mtime_ns
