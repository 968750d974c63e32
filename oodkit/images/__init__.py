"""Image sets: folders, lists, arrays, and what a scheme names."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from oodkit.errors import ImageSetError, UsageError
from oodkit.images.arrays import PAIR, holds_arrays, open_arrays
from oodkit.images.base import ImageSet
from oodkit.images.decode import image_extensions
from oodkit.images.folder import open_folder
from oodkit.images.imglist import open_list
from oodkit.images.limited import limited
from oodkit.wording import in_short

SCHEMES = ("demo", "hf", "torch", "wds")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")


def open_images(
    spec: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None, split: str | None = None, limit: int | None = None
) -> ImageSet:
    """An image set by its name: ``scheme:rest`` is looked up, anything else is a path, as is whatever exists by that name.

    Paths: a folder of class folders, a flat folder, a folder with ``images.npy`` and ``labels.npy``, an image list (``.txt``), an
    ``.npz``, an ``.npy``; ``~`` is the home folder. Schemes: ``demo:NAME``, ``torch:NAME[:SPLIT]``, ``hf:NAME[/CONFIG][:SPLIT]``,
    ``wds:PATH-OR-URL``.

    root: the folder that a list's images, a torchvision data set or ``wds`` shards are in, or Hugging Face's cache; paths do not
    need it. split: for ``torch`` and ``hf``, instead of writing it after the name. limit: so many images, evenly spread.

    Raises ImageSetError where there is no such set, where it can't be opened, or where it holds no image; UsageError for an empty
    name, a limit below 1 or a split of a set that has none.
    """
    name, folder = os.fspath(spec), None if root is None else Path(root)
    if not name:  # an unset variable of a shell leaves it, and as a path it would mean here
        raise UsageError("the name of the image set is empty; write . for the folder at hand")
    name = at_home(name)
    scheme, _, rest = name.partition(":")
    with opening(name):
        is_scheme = re.fullmatch(r"[A-Za-z][A-Za-z0-9+-]+:.+", name, re.DOTALL) is not None and not Path(name).exists()
        if split is not None and not (is_scheme and scheme in {"torch", "hf"}):
            raise UsageError(f"{name} has no splits; split {split!r} can be chosen for torch: and hf: only")
        images = _open_scheme(scheme, rest, folder, split) if is_scheme else _open_path(Path(name), name, folder)
    if not len(images):
        raise ImageSetError(f"{name} holds no image that can be read by its name or format; check the path")
    return images if limit is None else limited(images, limit)


@contextmanager
def opening(name: str) -> Iterator[None]:
    """While open, images of that name are looked for; ImageSetError where the system refuses, as it does for too long a name."""
    try:
        yield
    except OSError as error:
        told = f"can't open {in_short(name)}: {error.strerror or error}"
        raise ImageSetError(f"{told}; check the path, and whether it may be read") from error


def _open_scheme(scheme: str, rest: str, root: Path | None, split: str | None) -> ImageSet:
    if scheme not in SCHEMES:
        known = ", ".join(f"{one}:" for one in SCHEMES)
        raise ImageSetError(
            f"no image sets of the kind {scheme}:, and no file {scheme}:{rest}; kinds are {known}{_near(scheme, SCHEMES)}"
        )
    if scheme == "demo":
        from oodkit.demo.sets import open_demo_set

        return open_demo_set(rest)
    if scheme == "wds":
        from oodkit.images.tar_shards import open_tar_set

        return open_tar_set(rest, root)
    if split is None and ":" in rest:
        rest, _, split = rest.rpartition(":")
    if scheme == "hf":
        from oodkit.images.hub_sets import open_hub_set

        return open_hub_set(rest, split, root)
    from oodkit.images.torch_sets import open_torch_set

    return open_torch_set(rest, split, root)


def at_home(name: str) -> str:
    """A set by its name, with the home folder for ``~``, which bash leaves behind a = (``--id=~/x``, ``--near my-set=~/x``)."""
    if not name.startswith("~"):
        return name
    try:
        return name if Path(name).exists() else str(Path(name).expanduser())
    except (OSError, RuntimeError):  # too long a name; no such user
        return name


def _open_path(path: Path, spec: str, root: Path | None) -> ImageSet:
    if path.is_dir():
        return open_arrays(path / PAIR[0], spec) if holds_arrays(path) else open_folder(path, spec)
    if not path.is_file():
        raise ImageSetError(f"no folder or file {spec}{_near_path(path)}")
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return open_list(path, spec, root)
    if suffix in {".npz", ".npy"}:
        return open_arrays(path, spec)
    if suffix in ARCHIVES:
        raise ImageSetError(
            f"{spec} is an archive: unpack it and name the folder" + ", or use wds: for WebDataset" * (suffix == ".tar")
        )
    raise ImageSetError(
        f"{spec} is no image set; expected a folder, an image list (.txt), an .npz or an .npy; for one image name its folder"
    )


def _near_path(path: Path) -> str:
    parent = path.parent
    if not parent.is_dir():
        return f"; its folder {parent} is not there either"
    sources = {".txt", ".npz", ".npy", *image_extensions()}
    near = _near(path.name, sorted(one.name for one in parent.iterdir() if one.is_dir() or one.suffix.lower() in sources))
    return near or "; expected a folder, an image list (.txt), an .npz, an .npy or a set such as demo:digits"


def _near(word: str, words: list[str] | tuple[str, ...]) -> str:
    found = get_close_matches(word, words, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(found)}?" if found else ""
