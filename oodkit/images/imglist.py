"""An image list as OpenOOD writes them: ``relative/path label``, one image a line."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from oodkit.errors import ImageSetError
from oodkit.images.base import MOST_CLASSES
from oodkit.images.files import FileSet
from oodkit.wording import printable


def open_list(file: Path, spec: str, root: Path | None = None) -> FileSet:
    """The images that ``file`` lists, with their labels; −1 = none of the classes.

    A line is split at its first space. The paths are relative to ``root``, or else to the list's own folder. A label that is a
    Python dict literal counts as 0, as in OpenOOD v1.5 (``openood/datasets/imglist_dataset.py``). A listed file that is missing
    is an unreadable image. Raises ImageSetError where a line is malformed, or where none of the files is there.
    """
    paths, labels = read_list(file)
    images = FileSet(spec, file.parent if root is None else root, paths, np.array(labels, dtype=np.int64))
    if paths and not any(images.exists(index) for index in range(len(images))):
        raise ImageSetError(
            f"none of the {len(images)} images of {file} is below {images.root}, such as {images.image_name(0)}: "
            "name the folder that the paths are relative to (root=)"
        )
    return images


def read_list(file: Path) -> tuple[list[str], list[int]]:
    """Paths and labels of a list. Raises ImageSetError that names the line where one is malformed."""
    paths, labels = [], []
    for path, label in list_lines(file):
        paths.append(path)
        labels.append(label)
    return paths, labels


def list_lines(file: Path) -> Iterator[tuple[str, int]]:
    """The same line by line: of a list of any length one line is held."""
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _path_and_label(line.strip(), f"{file}, line {number}")
    except OSError as error:
        raise ImageSetError(
            f"can't read the image list {file}: {error.strerror}; check the path, and whether it may be read"
        ) from error


def _path_and_label(line: str, where: str) -> tuple[str, int]:
    path, _, text = line.partition(" ")
    label = _label(text)
    if label is None or path.startswith("/"):
        wanted = f"a path below the images' folder, a space and a label from −1 to {MOST_CLASSES - 1}"
        raise ImageSetError(f"{where}: expected {wanted}, got '{printable(line[:80])}'")
    return path, label


def _label(text: str) -> int | None:
    try:
        label = int(text)
    except ValueError:
        return 0 if _is_dict(text) else None
    return label if -1 <= label < MOST_CLASSES else None


def _is_dict(text: str) -> bool:
    try:
        return isinstance(ast.literal_eval(text.strip()), dict)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
