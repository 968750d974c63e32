"""Small copies of images, for reports."""

import hashlib
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from oodkit.images.base import ImageSet

LONGEST = 128  # pixels
AS_THEY_ARE = 64  # images up to this size keep every pixel: what JPEG leaves of 32 × 32 pixels is hard to recognise
QUALITY = 82


class Thumbnail(NamedTuple):
    """An image file: its name, made of a hash of the content, and that content."""

    name: str
    content: bytes


def thumbnail(images: ImageSet, index: int) -> Thumbnail | None:
    """A small copy of one image; None where the image can't be read any more.

    An image of at most 64 × 64 pixels is a PNG of its own size; a larger one a JPEG whose longer side has at most 128 pixels. The
    same pixels make the same file. It holds the pixels alone: no EXIF, no comment, no colour profile.
    """
    try:
        image = images.load(index)
    except Exception:  # noqa: BLE001 (each kind of set has errors of its own, and a picture in a report is no reason to lose a run)
        return None
    small = max(image.size) <= AS_THEY_ARE
    if not small:
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    pixels = Image.frombytes(image.mode, image.size, image.tobytes())  # Pillow would write out comment and profile of the original
    file = BytesIO()
    if small:
        pixels.save(file, "PNG", optimize=True)
    else:
        pixels.save(file, "JPEG", quality=QUALITY, optimize=True)
    content = file.getvalue()
    return Thumbnail(f"{hashlib.blake2b(content, digest_size=16).hexdigest()}.{'png' if small else 'jpg'}", content)
