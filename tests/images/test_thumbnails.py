"""Small copies of images: size, form, name, and nothing in them but pixels."""

import hashlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from oodkit.images import open_images
from oodkit.images.arrays import ArraySet
from oodkit.images.thumbnails import thumbnail


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def gradient(width, height):
    return np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8)[None, :, None], (height, width, 3)).copy()


def array_set(pixels):
    return ArraySet("here", pixels[None])


def opened(content):
    return Image.open(BytesIO(content))


@pytest.mark.parametrize("size", [(64, 64), (1, 1), (64, 3), (32, 32)])
def test_a_small_image_keeps_every_pixel_as_png(size):
    name, content = thumbnail(array_set(noise(*size)), 0)
    assert opened(content).format == "PNG"
    assert name.endswith(".png")
    assert np.array_equal(np.asarray(opened(content)), noise(*size))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((500, 300), (128, 77)), ((300, 500), (77, 128)), ((65, 10), (65, 10)), ((4000, 2), (128, 1)), ((129, 129), (128, 128))],
)
def test_a_larger_one_becomes_a_jpeg_of_at_most_128_pixels_of_the_same_shape(size, expected):
    name, content = thumbnail(array_set(gradient(*size)), 0)
    assert (opened(content).format, opened(content).size) == ("JPEG", expected)
    assert name.endswith(".jpg")
    assert np.asarray(opened(content)).astype(int) == pytest.approx(gradient(*expected).astype(int), abs=6)


@pytest.mark.parametrize("size", [(20, 20), (200, 150)])
def test_the_name_is_a_hash_of_the_content_and_both_are_the_same_each_time(size):
    first, second = thumbnail(array_set(noise(*size)), 0), thumbnail(array_set(noise(*size)), 0)
    assert first == second
    assert first.name.partition(".")[0] == hashlib.blake2b(first.content, digest_size=16).hexdigest()
    assert thumbnail(array_set(noise(*size, seed=1)), 0).name != first.name


@pytest.mark.parametrize(("size", "suffix"), [((40, 40), "png"), ((40, 40), "jpg"), ((200, 100), "jpg"), ((200, 100), "png")])
def test_nothing_of_the_file_but_its_pixels_is_left(tmp_path, size, suffix):
    exif, text = Image.Exif(), PngInfo()
    exif[0x010E] = "secret"
    text.add_text("Comment", "secret")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    extra = {"pnginfo": text} if suffix == "png" else {"comment": b"secret"}
    Image.fromarray(noise(*size)).save(tmp_path / f"a.{suffix}", exif=exif, icc_profile=profile, **extra)
    assert b"secret" in (tmp_path / f"a.{suffix}").read_bytes()
    _, content = thumbnail(open_images(str(tmp_path)), 0)
    assert b"secret" not in content
    assert set(opened(content).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_an_image_lies_upright(tmp_path):
    """EXIF orientation 6 is a quarter turn: 200 × 100 pixels in the file are 100 × 200 to look at."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(gradient(200, 100)).save(tmp_path / "a.jpg", exif=exif)
    assert opened(thumbnail(open_images(str(tmp_path)), 0).content).size == (64, 128)


def test_an_image_that_is_gone_or_damaged_is_none(tmp_path):
    for name in ("a", "b"):
        Image.fromarray(noise(9, 9)).save(tmp_path / f"{name}.png")
    images = open_images(str(tmp_path))
    (tmp_path / "a.png").unlink()
    (tmp_path / "b.png").write_bytes(b"no image")
    assert [thumbnail(images, index) for index in range(2)] == [None, None]


def test_whatever_a_set_of_images_raises_ends_no_run(monkeypatch):
    images = array_set(noise(9, 9))
    monkeypatch.setattr(images, "load", lambda _: 1 // 0)
    assert thumbnail(images, 0) is None
