"""Which images of a synthesis are there: a line for each in a journal while it is made, in manifests when it is done.

A process writes into a file of its own, and nothing else is shared: any number of them, started at any time and killed at any
moment, add up.
"""

import errno
import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from oodkit.errors import OodkitError
from oodkit.synth.storing import is_whole
from oodkit.synth.work import Work

JOURNAL = ".journal"
MANIFEST, DROPPED = "manifest.jsonl", "dropped.jsonl"
OVER_QUOTA, UNREADABLE = "over the quota", "unreadable"  # why an image is not kept

Line = dict[str, Any]


class Journal:
    """The lines that this process adds; its file is made with the first."""

    def __init__(self, folder: Path, rank: int) -> None:
        self._path = folder / JOURNAL / f"{rank}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._file: int | None = None

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line at once. Raises OodkitError where the disk is full."""
        text = encoded(line)
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            if os.write(self._file, text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise OodkitError(
                f"can't write {self._path}: {error.strerror}; free some space, and the same command goes on"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)


class Ledger:
    """What all processes have written so far, of each image of the work by its number.

    done: that it is settled: its file is there, or it is not to be kept. kept: the former. label: the position of the class that it
    stands for in the end, −1 where it has none. Lines themselves stay on the disk, and only where each begins is remembered.
    is_whole: whether all are settled, and the manifests have a line for each and nothing else.
    """

    def __init__(self, folder: Path, work: Work, labels: Sequence[str], *, quota_stands: bool = False) -> None:
        """labels: the folders of the classes that images can stand for, in their order. quota_stands: what was over the quota when
        the manifests were written is settled; else it is to be made again, as the quota may be larger now.
        """
        self._quota_stands, fitting, read = quota_stands, 0, 0
        self.done, self.kept = np.zeros(len(work), bool), np.zeros(len(work), bool)
        self.label = np.full(len(work), -1, np.int32)
        self._work, self._labels = work, {name: position for position, name in enumerate(labels)}
        self._place = np.zeros((len(work), 2), np.int64)
        # journals first: where another process ends the synthesis meanwhile, they go only after the manifests are there
        self._paths = [*sorted((folder / JOURNAL).glob("*.jsonl")), folder / DROPPED, folder / MANIFEST]
        for number, path in enumerate(self._paths):
            for place, text in _lines(path):
                fits = text.endswith(b"\n") and self._note(folder, text, (number, place))  # else its writer was killed
                if path.name in (DROPPED, MANIFEST):
                    fitting, read = fitting + fits, read + 1
        self.is_whole = bool(self.done.all()) and fitting == read == len(work)

    def lines(self, numbers: np.ndarray) -> Iterator[Line]:
        """The lines of these images, in this order."""
        files = [path.open("rb") if path.is_file() else None for path in self._paths]
        try:
            for number in numbers:
                of, place = self._place[number]
                file = files[of]
                assert file is not None, "a journal goes only after the manifests are there"
                file.seek(place)
                yield json.loads(file.readline())
        finally:
            for file in files:
                if file is not None:
                    file.close()

    def _note(self, folder: Path, text: bytes, place: tuple[int, int]) -> bool:
        """Whether the line is of an image that is asked for, and settles it."""
        try:
            line = json.loads(text, parse_constant=_finite, parse_float=_finite)
            file, dropped, index, name = line["file"], line.get("dropped"), line["index"], line["class"]
            label = -1 if name is None else self._labels[name]
            number = self._work.number(label if self._work.classes else 0, index)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            return False  # a process that was killed while it wrote, or a class of another oodkit's
        if number is None or (dropped == OVER_QUOTA and not self._quota_stands):
            return False
        if dropped is None and not (isinstance(file, str) and is_whole(f"{folder}/{file}")):
            return False
        self.done[number], self.kept[number], self.label[number], self._place[number] = True, dropped is None, label, place
        return True


def _finite(text: str) -> float:
    """The number; others can't be written again: NaN is no JSON, and 1e999, which is, becomes infinite."""
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is no finite number")
    return value


def encoded(line: Mapping[str, Any]) -> bytes:
    """As it stands in a file."""
    return (json.dumps(line, allow_nan=False) + "\n").encode()


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, each with the place where it begins."""
    place = 0
    if not path.is_file():  # a pipe would be waited for
        return
    try:
        with path.open("rb") as file:
            for text in file:
                yield place, text
                place += len(text)
    except FileNotFoundError:  # where another process has ended the synthesis meanwhile
        return
