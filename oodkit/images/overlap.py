"""Images that two sets share, told by what they are and not by their names."""

import hashlib
import os
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

from oodkit.errors import UnreadableImageError
from oodkit.images.base import ImageSet
from oodkit.images.decode import dimensions

UNASKED, ABSENT = -2, -1
EMPTY = 0  # bytes: no image, so like none
LOOKED_AT = 5_000  # files: a second's reading
PIECE = 1 << 20
SAMPLE = 1 << 12  # bytes from the middle, where compressed images differ; at the start many share their headers

Key = Callable[[ImageSet, int], int]  # of an image: equal for like images, not negative; ABSENT where it can't be had
Rows = tuple[np.ndarray, np.ndarray]  # positions in one set and in the other


class Comparison:
    """Compares image sets, each with several others: what it has found of an image it keeps for the next."""

    def __init__(self) -> None:
        self._known: dict[tuple[ImageSet, Key], np.ndarray] = {}

    def shared_images(self, ours: ImageSet, others: ImageSet) -> dict[int, int]:
        """Positions in ``ours`` of the images that are in ``others`` too, each with the position of its like there.

        Where both sets hold files (folders, lists, shards, the Hub), images are alike that are the same byte by byte; of files of
        equal size 4 KiB are read, and the whole of those that are equal there; a copy that was encoded again is another file.
        Where one holds pixels (arrays), they are decoded, and alike in every pixel; only files of equal dimensions are decoded.
        Labels do not count. What can't be read is like nothing.
        """
        rows = np.arange(len(ours)), np.arange(len(others))
        if _hold_files(ours, others):
            return self._alike(ours, others, (_stored_size, _sample, _digest_of_file), rows)
        return self._alike(ours, others, (_dimensions, _digest_of_pixels), rows)

    def shared_files(self, ours: ImageSet, others: ImageSet) -> dict[int, int]:
        """The same where both sets hold files, none where one holds pixels; where large sets share none, few files are read.

        Where more than LOOKED_AT files have a size that the other set has too, first the files of some of these sizes are compared,
        about LOOKED_AT of them, evenly spread; all are only where two of those are alike. So large sets may share a handful of
        images unseen. But most of ImageNet's training images are as large as one of 50,000 others, and to read 4 KiB of each of a
        million files takes minutes.
        """
        if not _hold_files(ours, others):
            return {}
        rows = self._narrowed(ours, others, _stored_size, (np.arange(len(ours)), np.arange(len(others))))
        step = -(-sum(map(len, rows)) // LOOKED_AT)
        by_content = (_sample, _digest_of_file)
        if step > 1 and not self._alike(ours, others, by_content, self._narrowed(ours, others, _stored_size, rows, step)):
            return {}
        return self._alike(ours, others, by_content, rows)

    def _alike(self, ours: ImageSet, others: ImageSet, keys: Sequence[Key], rows: Rows) -> dict[int, int]:
        """Of these rows those that agree in every key, each of ours with the first of its like."""
        for key in keys:
            rows = self._narrowed(ours, others, key, rows)
        mine, theirs = rows
        own, other = self._keys(keys[-1], ours, mine), self._keys(keys[-1], others, theirs)
        kinds, first = np.unique(other, return_index=True)
        return dict(zip(mine.tolist(), theirs[first[np.searchsorted(kinds, own)]].tolist(), strict=True))

    def _narrowed(self, ours: ImageSet, others: ImageSet, key: Key, rows: Rows, step: int = 1) -> Rows:
        """Of these rows those whose key is on both sides; with a step those of each so many-th key alone."""
        own, other = self._keys(key, ours, rows[0]), self._keys(key, others, rows[1])
        both = np.setdiff1d(np.intersect1d(own, other), [ABSENT, EMPTY])[::step]
        return rows[0][np.isin(own, both)], rows[1][np.isin(other, both)]

    def _keys(self, key: Key, images: ImageSet, rows: np.ndarray) -> np.ndarray:
        known = self._known.setdefault((images, key), np.full(len(images), UNASKED))
        for index in rows[known[rows] == UNASKED].tolist():
            known[index] = key(images, index)
        found: np.ndarray = known[rows]
        return found


def shared_images(ours: ImageSet, others: ImageSet) -> dict[int, int]:
    """The same for two sets alone."""
    return Comparison().shared_images(ours, others)


def _hold_files(ours: ImageSet, others: ImageSet) -> bool:
    return ours.source(0) is not None and others.source(0) is not None


def _stored_size(images: ImageSet, index: int) -> int:
    return images.stored_size(index)


def _sample(images: ImageSet, index: int) -> int:
    def middle(file: IO[bytes]) -> int:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, (size - SAMPLE) // 2))
        return _number(hashlib.blake2b(file.read(SAMPLE), digest_size=8))

    return _read(images, index, middle)


def _digest_of_file(images: ImageSet, index: int) -> int:
    def whole(file: IO[bytes]) -> int:
        digest = hashlib.blake2b(digest_size=8)
        while piece := file.read(PIECE):
            digest.update(piece)
        return _number(digest)

    return _read(images, index, whole)


def _read(images: ImageSet, index: int, key: Callable[[IO[bytes]], int]) -> int:
    source = images.source(index)
    assert source is not None
    try:
        with Path(source).open("rb") if isinstance(source, str | PathLike) else source as file:
            return key(file)
    except OSError:
        return ABSENT


def _dimensions(images: ImageSet, index: int) -> int:
    """One number for both sides, the longer one first: the EXIF orientation, which a header's do not regard, may turn them."""
    source = images.source(index)
    try:
        found = images.load(index).size if source is None else dimensions(source)
    except UnreadableImageError:
        return ABSENT
    return ABSENT if found is None else max(found) << 32 | min(found)


def _digest_of_pixels(images: ImageSet, index: int) -> int:
    try:
        image = images.load(index)
    except UnreadableImageError:
        return ABSENT
    return _number(hashlib.blake2b(repr(image.size).encode() + image.tobytes(), digest_size=8))


def _number(digest: "hashlib.blake2b") -> int:
    """63 bits: of images that agree in size, and in a sample or in dimensions, that is enough to tell them apart."""
    return int.from_bytes(digest.digest()) >> 1
