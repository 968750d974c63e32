"""An image gives the same bytes each time, comes back as it was, and is resized as PIL does it."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from oodkit.errors import OodkitError
from oodkit.images.decode import decode
from oodkit.synth.storing import Form, Storing


@pytest.fixture
def wide() -> torch.Tensor:
    return torch.randint(256, (3, 6, 10), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_png_holds_every_pixel_and_is_the_same_file_each_time(tmp_path: Path, wide: torch.Tensor) -> None:
    for name in ("one.png", "other.png"):
        Form().write(wide, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
    assert np.array_equal(np.asarray(decode(tmp_path / "one.png")), wide.permute(1, 2, 0).numpy())


def test_the_square_in_the_middle_is_resized_antialiased(wide: torch.Tensor) -> None:
    square = Image.fromarray(wide.permute(1, 2, 0).numpy()).crop((2, 0, 8, 6))
    expected = np.asarray(square.resize((3, 3), Image.Resampling.BICUBIC))
    assert np.array_equal(Form(3).resized(wide).permute(1, 2, 0).numpy(), expected)


def test_what_has_the_size_stays_as_it_is(wide: torch.Tensor) -> None:
    assert torch.equal(Form(6).resized(wide[:, :, :6]), wide[:, :, :6])
    assert torch.equal(Form().resized(wide), wide)


def test_jpeg_has_the_quality_asked_for(tmp_path: Path, wide: torch.Tensor) -> None:
    picture = Image.fromarray(wide.permute(1, 2, 0).contiguous().numpy())
    for quality in (40, 95):
        Form(None, "jpeg", quality).write(wide, tmp_path / "own.jpg")
        picture.save(tmp_path / "expected.jpg", quality=quality)
        assert (tmp_path / "own.jpg").read_bytes() == (tmp_path / "expected.jpg").read_bytes()


def test_images_of_several_sizes_keep_their_order(wide: torch.Tensor) -> None:
    images = [wide[:, :side, :side].contiguous() for side in (6, 3, 5)]
    with Storing(Form()) as storing:
        assert all(map(torch.equal, storing.resized(images), images))


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, wide: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    text = "No space left on device; free some space or choose another folder; the same command then goes on from here"
    with Storing(Form()) as storing, pytest.raises(OodkitError, match=text):
        storing.write(wide, tmp_path / "cat" / "1.png").result()
    assert not list((tmp_path / "cat").iterdir())
