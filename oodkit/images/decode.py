"""One image file to one upright RGB image, or one short reason why not."""

import errno
import os
import stat
import threading
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from oodkit.errors import OodkitError, UnreadableImageError
from oodkit.wording import in_short, printable

Source = str | os.PathLike[str] | IO[bytes]

# EPS runs Ghostscript on whatever the file says; the others Pillow only recognises, their pixels it can't read by itself.
NOT_DECODED = {"EPS", "BUFR", "GRIB", "HDF5", "MPEG", "WMF"}
FIRST_TRIED = ("JPEG", "PNG", "WEBP")
LONGEST_REASON = 160
# The disk's, the network's or the process's fault: remembered as the file's, it would never be tried again.
PASSING = {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.EINTR}


def decode(source: Source) -> Image.Image:
    """The image in RGB, upright by its EXIF orientation; of an animation the first frame.

    Alpha is dropped, not blended, because timm and torchvision train and evaluate with Pillow's ``convert("RGB")``; so results
    equal theirs. Their loaders ignore EXIF orientation; this one does not. Grey of more than 8 bits is scaled to 8 (see
    ``to_rgb``) where Pillow would clip it. Raises UnreadableImageError, with a reason of one line, for anything that can't be
    decoded and for an image of more than ``PIL.Image.MAX_IMAGE_PIXELS`` pixels, whose pixels are not decoded.
    """
    try:
        _require_file(source)
        with _quiet, Image.open(source, formats=_formats()) as image:
            image.load()
            _turn_upright(image)
            return to_rgb(image)
    except UnreadableImageError:
        raise
    except OSError as error:
        if error.errno in PASSING:
            name = printable(os.fspath(source)) if isinstance(source, str | os.PathLike) else "an image"
            raise OodkitError(f"can't read {name}: {error.strerror}; nothing is wrong with the file itself, run again") from error
        raise UnreadableImageError(_reason(error, source)) from error
    except Exception as error:  # Pillow's plugins raise anything on a hostile file, and one file must not end a run
        raise UnreadableImageError(_reason(error, source)) from error


def dimensions(source: Source) -> tuple[int, int] | None:
    """Width and height as the file states them, before any EXIF turn; no pixels are decoded. None where it is no image."""
    try:
        _require_file(source)
        with _quiet, Image.open(source, formats=_formats()) as image:
            return image.size
    except Exception:  # noqa: BLE001 (Pillow's plugins raise anything, as in ``decode``)
        return None


def to_rgb(image: Image.Image) -> Image.Image:
    """RGB of an image of any of Pillow's modes.

    16-bit grey is divided by 257. Integer and floating-point grey, whose range no file states, is taken to span the smallest of
    1 (floating-point only), 255 and 65535 that holds its largest value, or else that value.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return _grey_to_8_bits(image).convert("RGB")
    if image.mode == "PA" or (image.mode == "P" and "transparency" in image.info):
        return image.convert("RGBA").convert("RGB")
    if image.mode == "La":
        return image.convert("LA").convert("RGB")
    return image.convert("RGB")


def upright_rgb(image: Image.Image) -> Image.Image:
    """The same of an image that is open already, which stays as it is. Raises UnreadableImageError as ``decode`` does."""
    try:
        with _quiet:
            upright = image.copy()
            _turn_upright(upright)
            return to_rgb(upright)
    except UnreadableImageError:
        raise
    except Exception as error:  # as in ``decode``
        raise UnreadableImageError(_reason(error, "")) from error


@cache
def image_extensions() -> frozenset[str]:
    """The file extensions, in lower case and with the dot, of the images that ``decode`` reads."""
    Image.init()
    known = Image.registered_extensions().items()
    return frozenset(extension for extension, name in known if name in Image.OPEN and name not in NOT_DECODED)


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    rest = sorted(set(Image.OPEN) - NOT_DECODED - set(FIRST_TRIED))
    return tuple(name for name in (*FIRST_TRIED, *rest) if name in Image.OPEN)


class _Quiet:
    """Pillow's warnings are ignored, but for that of a bomb, which is raised; as long as any thread decodes.

    Python's warning filters belong to the process: threads that each set and restore them leave those of another behind.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._filters = threading.Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._filters.__exit__(None, None, None)


_quiet = _Quiet()


def _turn_upright(image: Image.Image) -> None:
    with suppress(Exception):  # the pixels are sound; damaged EXIF is no reason to lose them
        ImageOps.exif_transpose(image, in_place=True)


def _grey_to_8_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise UnreadableImageError("holds values that are no finite numbers")
    largest = float(values.max())
    spans = {"F": (1, 255, 65535), "I": (255, 65535)}.get(image.mode, (65535,))
    span = next((span for span in spans if largest <= span), largest)
    return Image.fromarray(np.rint(values.clip(0, span) * (255 / span)).astype(np.uint8))


def _require_file(source: Source) -> None:
    """A pipe, or a terminal, would be waited for, and is no file that Pillow could read in any order."""
    if isinstance(source, str | os.PathLike) and not stat.S_ISREG(mode := Path(source).stat().st_mode) and not stat.S_ISDIR(mode):
        raise UnreadableImageError("a pipe or a device, not a file")


def _reason(error: Exception, source: Source) -> str:
    if isinstance(error, UnidentifiedImageError):
        is_empty = isinstance(source, str | os.PathLike) and Path(source).stat().st_size == 0
        return "an empty file" if is_empty else "not an image of a format that Pillow decodes"
    text = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        text = f"refused as a decompression bomb: {text}"
    return in_short(text, LONGEST_REASON)
