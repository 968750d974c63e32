"""A folder as it may come from the internet: images of every odd kind, files that are none, and names that nobody should obey."""

import os
import struct
import zlib
from pathlib import Path

from PIL import Image

MARKUP = "ok-<img src=x onerror=alert(1)>.png"
ODD_NAMES = (
    "ok-[red]markup.png",
    MARKUP,
    "ok-two\nlines.png",
    "ok-\x1b[31mescape.png",
    "ok-\u202egnp.png",
    "-ok--help.png",
    f"ok-{'n' * 240}.png",
)


def image(path: Path, size: tuple[int, int] = (4, 4), mode: str = "RGB", **options: object) -> Path:
    """A black image of this mode, under this path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path, **options)
    return path


def fill_hostile(folder: Path) -> None:
    """Into the folder; the names of the images that can be read have "ok" in them, and that of the rotated one says so."""
    image(folder / "ok-cmyk.jpg", mode="CMYK")
    image(folder / "ok-16.png", mode="I;16")
    image(folder / "ok-float.tiff", mode="F")
    image(folder / "ok-palette.png", mode="P", transparency=0)
    image(folder / "ok-alpha.webp", mode="RGBA")
    image(folder / "ok-grey-alpha.png", mode="LA")
    image(folder / "ok-two-colours.png", mode="1")
    image(folder / "ok-grey.bmp", mode="L")
    image(folder / "ok-animated.gif", save_all=True, append_images=[Image.new("RGB", (4, 4), "red")])
    image(folder / "ok-animated.png", save_all=True, append_images=[Image.new("RGB", (4, 4), "red")])
    sound = image(folder / "ok.png").read_bytes()
    (folder / "ok-wrong-extension.jpg").write_bytes(sound)
    for name in ODD_NAMES:
        (folder / name).write_bytes(sound)
    Path(os.fsdecode(os.fsencode(folder) + b"/ok-\xff\xfe.png")).write_bytes(sound)
    exif = Image.Exif()
    exif[0x0112] = 8
    image(folder / "ok-rotated.jpg", size=(8, 4), exif=exif)
    for name in ("truncated.jpg", "truncated.png"):
        Image.effect_noise((64, 64), 50).save(folder / name)
        (folder / name).write_bytes((folder / name).read_bytes()[:500])
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("no image")
    (folder / "page.png").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    (folder / "bomb.png").write_bytes(_claiming(60_000, sound))
    (folder / "circle.png").symlink_to("circle.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "up").symlink_to(".")
    os.mkfifo(folder / "pipe.png")


UNREADABLE = {"truncated.jpg", "truncated.png", "empty.png", "text.jpg", "page.png", "bomb.png", "circle.png", "gone.png"}
READABLE = 14 + len(ODD_NAMES)


def _claiming(side: int, png: bytes) -> bytes:
    """A PNG that says it is so wide and so high."""
    claimed = bytearray(png)
    claimed[16:24] = struct.pack(">II", side, side)
    claimed[29:33] = struct.pack(">I", zlib.crc32(claimed[12:29]))
    return bytes(claimed)
