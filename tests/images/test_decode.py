"""Any image Pillow can open becomes one upright RGB image; anything else one short reason."""

import errno
import io
import os
import struct
import threading
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from oodkit.errors import OodkitError, UnreadableImageError
from oodkit.images.decode import decode, dimensions, image_extensions, upright_rgb

RED, GREEN = (255, 0, 0), (0, 255, 0)


def saved(image: Image.Image, kind: str, **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def pixels(image: Image.Image) -> list:
    assert image.mode == "RGB"
    return np.asarray(image).reshape(-1, 3).tolist()


def converted(image: Image.Image) -> list:
    return pixels(image.convert("RGB"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "YCbCr"])
def test_every_mode_of_8_bits_equals_pillow_s_own_conversion(mode):
    if mode == "YCbCr" and int(PIL.__version__.split(".")[0]) < 13:
        pytest.skip(f"Pillow {PIL.__version__} can't read the YCbCr TIFF that it writes")
    image = Image.new("LAB", (2, 1), (128, 10, 250)) if mode == "LAB" else Image.new("RGB", (2, 1), RED).convert(mode)
    file = saved(image, "TIFF" if mode in {"CMYK", "LAB", "YCbCr"} else "PNG")
    assert Image.open(file).mode == mode
    assert pixels(decode(file)) == converted(Image.open(file))


def test_a_bitmap_equals_pillow_s_own_conversion():
    file = saved(Image.new("RGB", (2, 1), RED), "BMP")
    assert pixels(decode(file)) == converted(Image.open(file)) == [list(RED)] * 2


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "LAB"])
def test_an_open_image_of_any_colour_space_equals_pillow_s_own_conversion(mode):
    image = Image.new(mode, (2, 1), (128, 10, 250))
    assert pixels(upright_rgb(image)) == converted(image)


def test_alpha_is_dropped_as_timm_and_torchvision_drop_it():
    assert pixels(decode(saved(Image.new("RGBA", (1, 1), (10, 20, 30, 0)), "PNG"))) == [[10, 20, 30]]


@pytest.mark.parametrize("transparency", [0, b"\x00\x80"])
def test_palette_with_transparency_keeps_its_colours_and_warns_of_nothing(transparency):
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    assert pixels(decode(saved(image, "PNG", transparency=transparency))) == [list(RED), list(GREEN)]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind):
    """0, 257, 32896 and 65535 of 65535 are 0, 1, 128 and 255 of 255."""
    grey = Image.fromarray(np.array([[0, 257, 32896, 65535]], dtype=np.uint16))
    assert [red for red, _, _ in pixels(decode(saved(grey, kind)))] == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 128, 255]], dtype=np.int32), [0, 128, 255]),
        (np.array([[0, 257, 65535]], dtype=np.int32), [0, 1, 255]),
        (np.array([[-5, 100000, 200000]], dtype=np.int32), [0, 128, 255]),
        (np.array([[0, 0.5, 1]], dtype=np.float32), [0, 128, 255]),
        (np.array([[0, 2, 255]], dtype=np.float32), [0, 2, 255]),
    ],
)
def test_integer_and_float_grey_spans_the_smallest_range_that_holds_it(values, expected):
    """0.5 · 255 = 127.5, rounded to the even 128; 100000 of 200000 likewise."""
    assert [red for red, _, _ in pixels(decode(saved(Image.fromarray(values), "TIFF")))] == expected


def test_a_grey_image_that_is_not_finite_is_unreadable():
    file = saved(Image.fromarray(np.array([[0, np.nan]], dtype=np.float32)), "TIFF")
    with pytest.raises(UnreadableImageError, match="no finite numbers"):
        decode(file)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_read(kind):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN)]
    first = decode(saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50))
    assert first.size == (4, 4)
    assert first.getpixel((0, 0))[0] > 250


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(kind):
    """Orientation 6: the camera was turned, so that the file's left edge is the picture's top."""
    image = Image.new("RGB", (32, 16), GREEN)
    image.paste(RED, (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = decode(saved(image, kind, exif=exif))
    assert upright.size == (16, 32)
    assert upright.getpixel((8, 4))[0] > 200
    assert upright.getpixel((8, 28))[1] > 200


def test_damaged_exif_does_not_cost_the_image():
    assert decode(saved(Image.new("RGB", (3, 2)), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")).size == (3, 2)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_claiming(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_decompression_bomb_is_refused_whether_pillow_warns_or_raises(side, tmp_path, monkeypatch):
    """Pillow warns above 89 million pixels and raises above twice as many; 10,000² and 20,000² are one of each."""
    file = tmp_path / "bomb.png"
    file.write_bytes(_png_claiming(side, side))
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(UnreadableImageError, match=r"^refused as a decompression bomb: Image size \(\d+ pixels\)"):
        decode(file)


JPEG = saved(Image.effect_noise((64, 64), 50), "JPEG").getvalue()
PNG = saved(Image.effect_noise((64, 64), 50), "PNG").getvalue()
HOSTILE = {
    "empty": b"",
    "text": b"this is no image\n",
    "markup": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "half a JPEG": JPEG[: len(JPEG) // 2],
    "half a PNG": PNG[: len(PNG) // 2],
    "only a signature": PNG[:8],
    "no pixels": _png_claiming(8, 8),
    "zero wide": _png_claiming(0, 8),
    "damaged": PNG[:100] + b"\x00" * 50 + PNG[150:],
    "half a GIF": saved(Image.new("P", (99, 99)), "GIF").getvalue()[:40],
    "half a WebP": saved(Image.effect_noise((64, 64), 50), "WEBP").getvalue()[:200],
    "half a TIFF": saved(Image.effect_noise((64, 64), 50), "TIFF").getvalue()[:100],
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
    "short ICO": b"\x00\x00\x01\x00\x01\x00" + b"\xff" * 16,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_image_gives_a_reason_of_one_line_from_a_file_and_from_memory(name, tmp_path):
    file = tmp_path / "x.jpg"
    file.write_bytes(HOSTILE[name])
    for source in (file, str(file), io.BytesIO(HOSTILE[name])):
        with pytest.raises(UnreadableImageError) as caught:
            decode(source)
        reason = str(caught.value)
        assert reason.isprintable()
        assert 0 < len(reason) <= 160
        assert str(tmp_path) not in reason
        assert " at 0x" not in reason


def test_every_cut_of_a_file_is_an_image_or_unreadable():
    """No prefix of a PNG, GIF, BMP, TIFF or WebP brings out any other error."""
    image = Image.effect_noise((16, 16), 50)
    for kind in ("PNG", "GIF", "BMP", "TIFF", "WEBP", "ICO", "TGA", "PPM"):
        whole = saved(image, kind).getvalue()
        for end in range(0, len(whole), 7):
            with suppress(UnreadableImageError):
                decode(io.BytesIO(whole[:end]))


@pytest.mark.parametrize("absent", ["nothing.png", "."])
def test_a_missing_file_and_a_folder_are_unreadable(absent, tmp_path):
    with pytest.raises(UnreadableImageError, match=r"No such file|Is a directory"):
        decode(tmp_path / absent)


def test_reasons_are_the_same_on_every_run():
    """Skipped images are stored with their reasons, and a second run is to give the same bytes."""
    reasons = set()
    for _ in range(2):
        with pytest.raises(UnreadableImageError) as caught:
            decode(io.BytesIO(b"junk"))
        reasons.add(str(caught.value))
    assert len(reasons) == 1


def test_the_caller_s_warning_filters_are_left_as_they_were(tmp_path: Path):
    before = list(warnings.filters)
    decode(saved(Image.new("L", (2, 2)), "PNG"))
    assert list(warnings.filters) == before


def test_the_dimensions_of_a_pipe_are_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it was opened"))
    assert dimensions(tmp_path / "pipe.png") is None


def test_extensions_are_those_of_image_files():
    assert {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".jp2"} <= image_extensions()
    assert not image_extensions() & {".eps", ".pdf", ".mpg", ".h5", ".txt", ".zip", ".npz", ""}


def test_a_failing_disk_is_not_the_images_fault(monkeypatch, tmp_path):
    """A skipped image is remembered; a read that failed for the machine's sake must not be."""
    Image.new("RGB", (4, 4)).save(tmp_path / "sound.png")

    def fail(*_arguments, **_options):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(OodkitError, match=r"can't read .*sound\.png: Input/output error; nothing is wrong") as raised:
        decode(tmp_path / "sound.png")
    assert not isinstance(raised.value, UnreadableImageError)


def test_threads_that_decode_at_once_leave_the_filters_of_warnings_as_they_were():
    """The first to begin ends before the second, which has begun within it."""
    before = list(warnings.filters)
    within, begun, ended = threading.Event(), threading.Event(), threading.Event()

    class First:
        def copy(self):
            within.set()
            assert begun.wait(60)
            return Image.new("RGB", (1, 1))

    class Second:
        def copy(self):
            begun.set()
            assert ended.wait(60)
            return Image.new("RGB", (1, 1))

    def decode_first():
        upright_rgb(First())
        ended.set()

    first = threading.Thread(target=decode_first)
    first.start()
    assert within.wait(60)
    upright_rgb(Second())
    first.join()
    assert warnings.filters == before
