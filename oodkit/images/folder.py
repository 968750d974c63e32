"""A folder of class folders, or a flat folder of images."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from oodkit.errors import ImageSetError
from oodkit.images.decode import image_extensions
from oodkit.images.files import FileSet


def open_folder(folder: Path, spec: str) -> FileSet:
    """Every image below ``folder``: of each class folder in turn, by path.

    The first path component below ``folder`` is the class, whatever lies deeper. Classes stand in the order of their names, as in
    torchvision; names that are all plain integers stand in the order of their numbers, as in timm (where torchvision would put
    10 before 2). A folder with images and no class folders is flat: every label is −1. Files are taken by their extension;
    hidden ones are left out. Links to folders are followed, except back to a folder that they are in.

    Raises ImageSetError where the folder can't be read, or holds images beside class folders.
    """
    try:
        loose, folders = _list(str(folder))
        own = (_identity(str(folder)),)
        classes = {name: [f"{name}/{path}" for path in _all_below(f"{folder}/{name}", own)] for name in folders}
    except OSError as error:
        raise ImageSetError(f"can't read the folder {error.filename}: {error.strerror}; make it readable") from error
    if not any(classes.values()):
        return FileSet(spec, folder, sorted(loose), np.full(len(loose), -1))
    if loose:
        folders_too = min(name for name, paths in classes.items() if paths)
        both = f"images ({len(loose)}, such as {min(loose)!r}) beside class folders (such as {folders_too!r})"
        raise ImageSetError(f"{folder} holds {both}: put them into a folder of their own, or name the folder that is meant")
    names = _in_order(list(classes))
    labels = np.repeat(np.arange(len(names)), [len(classes[name]) for name in names])
    return FileSet(spec, folder, [path for name in names for path in classes[name]], labels, tuple(names))


def images_below(folder: str, parents: tuple[tuple[int, int], ...] = ()) -> Iterator[str | OSError]:
    """The paths below ``folder`` of every image there, in their order; in the place of a folder that can't be read, its error.

    Which files these are is said at ``open_folder``. Folders are read as they are reached: the names of one folder and of those
    that it is in are held. parents: what tells the folders above from any other, for links back to them.
    """
    reached = [("", parents, iter([""]))]  # no recursion: file systems allow deeper folders than Python does calls
    while reached:
        below, above, names = reached[-1]
        name = next(names, None)
        if name is None:
            reached.pop()
        elif name and not name.endswith("/"):
            yield below + name
        else:
            path = f"{folder}/{below}{name}"[:-1]
            try:
                own = _identity(path)
                images, folders = ([], []) if own in above else _list(path)
            except OSError as error:
                yield error
            else:
                reached.append((below + name, (*above, own), iter(sorted([*images, *(f"{one}/" for one in folders)]))))


def _all_below(folder: str, parents: tuple[tuple[int, int], ...]) -> Iterator[str]:
    for path in images_below(folder, parents):
        if isinstance(path, OSError):
            raise path
        yield path


def _in_order(names: list[str]) -> list[str]:
    if all(name.isascii() and name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _list(folder: str) -> tuple[list[str], list[str]]:
    """The names of the images and of the folders directly in ``folder``."""
    images, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                folders.append(entry.name)
            elif os.path.splitext(entry.name)[1].lower() in image_extensions() and _is_file(entry):  # noqa: PTH122
                images.append(entry.name)
    return images, folders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """A file, or a link to nothing, which is to be counted as unreadable; never a pipe or a device, which would block."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True


def _identity(folder: str) -> tuple[int, int]:
    facts = os.stat(folder)  # noqa: PTH116
    return facts.st_dev, facts.st_ino
