"""Images in NumPy arrays: an ``.npz``, or ``images.npy`` with ``labels.npy`` beside it."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from oodkit.errors import ImageSetError
from oodkit.images.base import ImageSet, checked_labels
from oodkit.images.decode import to_rgb
from oodkit.wording import in_short

KEYS = (("images", "labels"), ("x", "y"), ("arr_0", "arr_1"))
PAIR = ("images.npy", "labels.npy")
HASHED_WHOLE = 64 << 20  # bytes; a larger file is known by its size and time of change
ROWS_AT_ONCE = 1024


class ArraySet(ImageSet):
    """images (N, H, W, 3), (N, H, W, 1) or (N, H, W): uint8, or floating-point in [0, 1].

    files: where they came from. A worker process that is not a fork reads ``files[0]`` again instead of being sent the array.
    """

    def __init__(
        self,
        spec: str,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        class_names: tuple[str, ...] | None = None,
        files: tuple[Path, ...] = (),
    ) -> None:
        self.spec, self.class_names, self._files = spec, class_names, files
        self._images: np.ndarray | None = _checked_images(images, spec)
        self.labels = np.full(len(images), -1) if labels is None else checked_labels(labels, len(images), spec)

    def load(self, index: int) -> Image.Image:
        if self._images is None:
            self._images = _read_images(self._files[0])
        image = np.asarray(self._images[index])
        if image.dtype != np.uint8:
            image = np.rint(image.astype(np.float64) * 255).astype(np.uint8)
        return to_rgb(Image.fromarray(image[..., 0] if image.shape[-1] == 1 and image.ndim == 3 else image))

    def image_name(self, index: int) -> str:
        return str(range(len(self))[index])

    def fingerprint(self) -> str:
        """A hash of the labels and of the files: path, size, time of change, and content where that is quickly read."""
        digest = hashlib.blake2b(self.labels.tobytes(), digest_size=16)
        for file in self._files:
            facts = file.stat()
            digest.update(f"{file.resolve()} {facts.st_size} {facts.st_mtime_ns}".encode(errors="surrogateescape"))
            if facts.st_size <= HASHED_WHOLE:
                digest.update(file.read_bytes())
        if not self._files:
            assert self._images is not None
            digest.update(f"{self._images.shape} {self._images.dtype}".encode())
            digest.update(np.ascontiguousarray(self._images).data)
        return digest.hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_images": None} if self._files else self.__dict__


def open_arrays(file: Path, spec: str, labels: Path | None = None) -> ArraySet:
    """The images of an ``.npz`` (keys images and labels, or x and y, or arr_0 and arr_1) or of an ``.npy``, memory-mapped.

    The labels of ``images.npy`` are in ``labels.npy`` beside it, those of ``test_images.npy`` in ``test_labels.npy``; without such
    they are −1. labels: the ``.npy`` that has them instead.
    Images in [0, 1] become uint8: times 255, rounded.
    Raises ImageSetError for anything but uint8 or [0, 1] images (N, H, W, 3), (N, H, W, 1) or (N, H, W) with integer labels (N,).
    Pickled arrays are not read.
    """
    images = _read_images(file)
    beside = labels or file.with_name(file.name.replace("images", "labels"))
    if file.suffix.lower() == ".npz" and labels is None:
        return ArraySet(spec, images, _read(file, 1), files=(file,))
    if beside == file or not beside.exists():
        return ArraySet(spec, images, files=(file,))
    return ArraySet(spec, images, _read(beside, 0), files=(file, beside))


def holds_arrays(folder: Path) -> bool:
    """Whether a folder is opened as ``images.npy`` and ``labels.npy``, whatever else is in it."""
    return all((folder / name).is_file() for name in PAIR)


def _read_images(file: Path) -> np.ndarray:
    images = _read(file, 0)
    assert images is not None
    return images


def _read(file: Path, which: int) -> np.ndarray | None:
    """The images (0) or the labels (1) of a file, None where an ``.npz`` has no labels."""
    try:
        if not file.is_file():  # a pipe would be waited for
            raise FileNotFoundError("it is no file")
        if file.suffix.lower() == ".npy":
            return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            names = list(arrays)
            pair = next((pair for pair in KEYS if pair[0] in names), None)
            if pair is None:
                wanted = "images and labels, x and y, or arr_0 and arr_1"
                raise ImageSetError(f"{file} holds the arrays {in_short(', '.join(names)) or 'none'}; expected {wanted}")
            return np.asarray(arrays[pair[which]]) if pair[which] in names else None
    except ImageSetError:
        raise
    except Exception as error:  # numpy and zipfile raise anything on a damaged file
        raise ImageSetError(
            f"can't read {file}: {in_short(error)}; write it anew with numpy.savez or numpy.save, without pickles"
        ) from error


def _checked_images(images: np.ndarray, spec: str) -> np.ndarray:
    fits = (images.ndim == 3 or (images.ndim == 4 and images.shape[3] in {1, 3})) and 0 not in images.shape[1:]
    if not fits or not (images.dtype == np.uint8 or _is_unit_range(images)):
        wanted = "uint8, or floating-point in [0, 1], of shape (N, H, W, 3), (N, H, W, 1) or (N, H, W)"
        values = f" from {images.min():g} to {images.max():g}" if fits and images.dtype.kind == "f" and len(images) else ""
        raise ImageSetError(f"{spec} holds {images.dtype} {images.shape}{values}; expected images {wanted}")
    return images


def _is_unit_range(images: np.ndarray) -> bool:
    if images.dtype.kind != "f":
        return False
    pieces = (images[start : start + ROWS_AT_ONCE] for start in range(0, len(images), ROWS_AT_ONCE))
    return all(bool(((piece >= 0) & (piece <= 1)).all()) for piece in pieces)
