"""Images that two sets share, told by what they are and not by their names."""

import hashlib
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path

import numpy as np

from oodkit.errors import UnreadableImageError
from oodkit.images.base import ImageSet
from oodkit.images.decode import dimensions

ABSENT = -1
PIECE = 1 << 20


def shared_images(ours: ImageSet, others: ImageSet) -> dict[int, int]:
    """Positions in ``ours`` of the images that are in ``others`` too, each with the position of its like there.

    Where both sets hold files (folders, lists, shards, the Hub), images are alike that are the same byte by byte; only files of
    equal size are read. Where one holds pixels (arrays), they are decoded, and alike in every pixel; only files of equal
    dimensions are decoded. Labels do not count. What can't be read is like nothing.
    """
    files = ours.source(0) is not None and others.source(0) is not None
    size, digest = (_stored_size, _digest_of_file) if files else (_dimensions, _digest_of_pixels)
    our_sizes, their_sizes = _each(ours, size), _each(others, size)
    both = np.setdiff1d(np.intersect1d(our_sizes, their_sizes), [ABSENT])
    known: dict[bytes, list[int]] = {}
    for index, found in _digests(ours, np.isin(our_sizes, both), digest):
        known.setdefault(found, []).append(index)
    shared: dict[int, int] = {}
    for index, found in _digests(others, np.isin(their_sizes, both), digest):
        for own in known.get(found, ()):
            shared.setdefault(own, index)
    return dict(sorted(shared.items()))


def _each(images: ImageSet, size: Callable[[ImageSet, int], int]) -> np.ndarray:
    return np.fromiter((size(images, index) for index in range(len(images))), np.int64, len(images))


def _digests(
    images: ImageSet, candidates: np.ndarray, digest: Callable[[ImageSet, int], bytes | None]
) -> Iterator[tuple[int, bytes]]:
    for index in np.flatnonzero(candidates).tolist():
        found = digest(images, index)
        if found is not None:
            yield index, found


def _stored_size(images: ImageSet, index: int) -> int:
    return images.stored_size(index)


def _digest_of_file(images: ImageSet, index: int) -> bytes | None:
    source = images.source(index)
    assert source is not None
    digest = hashlib.blake2b(digest_size=16)
    try:
        with Path(source).open("rb") if isinstance(source, str | PathLike) else source as file:
            while piece := file.read(PIECE):
                digest.update(piece)
    except OSError:
        return None
    return digest.digest()


def _dimensions(images: ImageSet, index: int) -> int:
    """One number for both sides, the longer one first: the EXIF orientation, which a header's do not regard, may turn them."""
    source = images.source(index)
    try:
        found = images.load(index).size if source is None else dimensions(source)
    except UnreadableImageError:
        return ABSENT
    return ABSENT if found is None else max(found) << 32 | min(found)


def _digest_of_pixels(images: ImageSet, index: int) -> bytes | None:
    try:
        image = images.load(index)
    except UnreadableImageError:
        return None
    return hashlib.blake2b(repr(image.size).encode() + image.tobytes(), digest_size=16).digest()
