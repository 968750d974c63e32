"""Images one after the other, any number of them: files, folders, lists and image sets, without a list of them in memory."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from torch import Tensor

from oodkit.errors import ImageSetError, OodkitError, UnreadableImageError, UsageError
from oodkit.images import ARCHIVES, open_images, opening
from oodkit.images.arrays import holds_arrays
from oodkit.images.base import ImageSet
from oodkit.images.decode import decode
from oodkit.images.files import FileSet
from oodkit.images.folder import images_below
from oodkit.images.imglist import list_lines

STDIN = "-"
LONGEST_NAME = 1 << 20  # bytes; a system's paths are shorter, and what is no list of paths must not fill the memory
PIECE = 1 << 16


class Entry(NamedTuple):
    """One image of a stream, as it is sent to the process that decodes it.

    number: counted from 0. name: its path, or the name of its set and its name there. place: its file, or the number of its set
    and its position there, or None where there is no image but ``reason``.
    """

    number: int
    name: str
    place: str | tuple[int, int] | None
    reason: str = ""


Found = tuple[str, str | tuple[int, int] | None, str]  # an entry without its number


@dataclass(frozen=True)
class Places:
    """Where the entries of a stream are read from; processes that decode get a copy, which is small unless a set is."""

    sets: tuple[ImageSet, ...] = ()

    def transformed(self, entry: Entry, transform: Callable[[Image.Image], Tensor], /) -> Tensor:
        """What a network with this transform gets; raises UnreadableImageError, for a failing disk too, and what the transform
        does. A stream remembers nothing, so that whatever could not be read is tried again in the next run.
        """
        if entry.place is None:
            raise UnreadableImageError(entry.reason)
        try:
            if isinstance(entry.place, str):
                return transform(decode(entry.place))
            number, position = entry.place
            return self.sets[number].transformed(position, transform)
        except OodkitError as error:
            if isinstance(error.__cause__, OSError) and not isinstance(error, UnreadableImageError):
                raise UnreadableImageError(str(error)) from error
            raise


@dataclass(frozen=True)
class ImageStream:
    """The entries, which can be gone through once, and what they are read from."""

    entries: Iterator[Entry]
    places: Places


def stream_files(paths: Iterable[str | os.PathLike[str]]) -> ImageStream:
    """The image files at ``paths``, which can be a generator."""
    return _numbered([((os.fspath(path), os.fspath(path), "") for path in paths)], [])


def open_stream(specs: Sequence[str], *, stdin: BufferedIOBase | None = None, separator: bytes = b"\n") -> ImageStream:
    """The images of files, folders and lists, and of any set that ``open_images`` opens, one source after the other.

    A folder gives every image below it in the order of their paths, and is read as that goes on: only the names of the folder that
    it has come to, and of those that this is in, are held. Files are taken by their extension and hidden ones left out, as in
    ``open_images``; class folders and flat ones are alike here. A folder that can't be read, or that holds no image, is an entry
    with the reason. An image list (.txt) is read line by line. Any other file is taken for an image. ``-`` is a list of paths on
    ``stdin``, relative to the working folder, with ``separator`` after each. Every other set is opened at once, and what it
    holds in memory it holds here too.

    Raises ImageSetError where a source is not there, a set can't be opened or a list is malformed; UsageError for a second ``-``
    and for an empty name.
    """
    if list(specs).count(STDIN) > 1:
        raise UsageError("- can stand once among the images: the list on stdin can be read once")
    sources: list[Iterable[Found]] = []
    sets: list[ImageSet] = []
    for spec in specs:
        if spec == STDIN and stdin is not None:
            sources.append(_listed(stdin, separator))
        else:
            with opening(spec):
                sources.append(_of_path(spec) or _of_set(open_images(spec), sets))
    return _numbered(sources, sets)


def _of_path(spec: str) -> Iterable[Found] | None:
    """What a folder, a list or an image file gives; None for whatever else it may be."""
    path = Path(spec)
    if spec and path.is_dir() and not holds_arrays(path):
        return _below(spec)
    if path.is_file() and path.suffix.lower() == ".txt":
        return _on_list(path)
    if path.is_file() and path.suffix.lower() not in {".npz", ".npy", *ARCHIVES}:
        return [(spec, spec, "")]
    return None


def _numbered(sources: Iterable[Iterable[Found]], sets: Sequence[ImageSet]) -> ImageStream:
    found = chain.from_iterable(sources)
    return ImageStream((Entry(number, *one) for number, one in enumerate(found)), Places(tuple(sets)))


def _below(folder: str) -> Iterator[Found]:
    empty = True
    for path in images_below(folder):
        empty = False
        if isinstance(path, OSError):
            yield os.fspath(path.filename), None, f"a folder that can't be read: {path.strerror}"
        else:
            name = os.path.join(folder, path)  # noqa: PTH118  (a million of these, spelled as the folder was)
            yield name, name, ""
    if empty:
        yield folder, None, "a folder that holds no image, by the names of its files"


def _on_list(file: Path) -> Iterable[Found]:
    if not sum(1 for _ in list_lines(file)):  # to the end, so that a malformed line is known before any work is done
        raise ImageSetError(f"{file} lists no image; give a list with a path in each line")
    names = (os.path.join(file.parent, path) for path, _ in list_lines(file))  # noqa: PTH118  (as in ``_below``)
    return ((name, name, "") for name in names)


def _of_set(images: ImageSet, sets: list[ImageSet]) -> Iterable[Found]:
    if isinstance(images, FileSet):
        files = (str(images.source(position)) for position in range(len(images)))
        return ((file, file, "") for file in files)
    sets.append(images)
    number = len(sets) - 1
    return ((f"{images.spec}/{images.image_name(position)}", (number, position), "") for position in range(len(images)))


def _listed(stdin: BufferedIOBase, separator: bytes) -> Iterator[Found]:
    for name in _split(stdin, separator):
        path = os.fsdecode(name.removesuffix(b"\r") if separator == b"\n" else name)
        if len(name) > LONGEST_NAME:
            yield path[:80], None, "too long for a path; the list on stdin is a path a line, or with --null ends each with a null"
        elif path:
            yield path, path, ""


def _split(stream: BufferedIOBase, separator: bytes) -> Iterator[bytes]:
    """What stands between separators, as soon as it is there; a piece beyond the longest name is the last one."""
    rest = b""
    while len(rest) <= LONGEST_NAME and (piece := stream.read1(PIECE)):
        *whole, rest = (rest + piece).split(separator)
        yield from whole
    yield rest
