"""``oodkit score``: rows never take the place of what is read, and a disk that fails at one image costs that image alone."""

import errno
import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from oodkit.calibration import Calibration
from oodkit.classifier import load_classifier
from oodkit.detector import Detector
from oodkit.extraction import extract
from oodkit.images import open_images
from oodkit.scorers import make_scorer

HERE = ("--workers", "0", "--device", "cpu")


@pytest.fixture
def detector(tmp_path):
    model, scorer = load_classifier("demo:digits-v2"), make_scorer("mls")
    digits = open_images("demo:digits:val")
    outputs = extract(model, digits, cache=False, workers=0, device="cpu")
    Detector(model, scorer, Calibration(scorer.score(outputs).numpy(), 0.05)).save(tmp_path / "d.safetensors")
    (tmp_path / "photos").mkdir()
    for number in range(3):
        digits.load(number).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "list.txt").write_text("photos/0.png\n")
    (tmp_path / "link.png").symlink_to("photos/0.png")
    return "d.safetensors"


@pytest.mark.parametrize(
    ("source", "output", "told"),
    [
        ("photos/0.png", "d.safetensors", "would take the place of d.safetensors, which is read"),
        ("photos/0.png", "photos/0.png", "would take the place of photos/0.png, which is read"),
        ("photos/0.png", "link.png", "would take the place of photos/0.png, which is read"),
        ("list.txt", "list.txt", "would take the place of list.txt, which is read"),
        ("photos", "photos/1.png", "would take the place of an image in photos"),
    ],
)
def test_rows_never_take_the_place_of_what_is_read(run, detector, source, output, told):
    before = Path(output).read_bytes()
    ran = run("score", detector, source, "-o", output, *HERE)
    assert (ran.code, ran.err) == (2, f"error: --output {output} {told}; give the name of another file\n")
    assert Path(output).read_bytes() == before


def test_a_disk_that_fails_at_one_image_is_a_row_and_the_others_go_on(run, detector, monkeypatch):
    opened = Image.open

    def fail(source, **options):
        if str(source).endswith("1.png"):
            raise OSError(errno.EIO, "Input/output error")
        return opened(source, **options)

    monkeypatch.setattr(Image, "open", fail)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"photos/0.png\nphotos/1.png\nphotos/2.png\n")))
    ran = run("score", detector, "-", *HERE)
    assert ran.code == 0
    _, first, second, third = ran.out.splitlines()
    assert first.startswith("photos/0.png,")
    assert third.startswith("photos/2.png,")
    reason = "can't read photos/1.png: Input/output error; nothing is wrong with the file itself, run again"
    assert second == f'photos/1.png,,,,,unreadable,"{reason}"'
