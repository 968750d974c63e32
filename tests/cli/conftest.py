"""Run the command line in this process, as a user would: arguments in; exit code, stdout and stderr out."""

import sys
from typing import NamedTuple

import pytest

from oodkit.cli import main
from oodkit.images import open_images

from .scoring import make_detector


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Each test has a working folder and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OODKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OODKIT_DATA", raising=False)
    monkeypatch.delenv("OODKIT_DEBUG", raising=False)

    def invoke(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["oodkit", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        code = stop.value.code or 0
        return Ran(int(code), *capsys.readouterr())

    return invoke


SMALL = ("--limit", "60", "--workers", "0", "--device", "cpu")


@pytest.fixture
def demo_sets() -> tuple[str, ...]:
    """The demo's image sets, 60 images of each."""
    sets = ("--id", "demo:digits", "--near", "unseen=demo:digits-unseen", "--far", "patches=demo:photo-patches")
    return (*sets, "--fit", "demo:digits:train", *SMALL)


@pytest.fixture
def forwarded(monkeypatch):
    """How many images went through a network, batch by batch."""
    from oodkit import forward

    counts, run_batch = [], forward.Runner.run
    monkeypatch.setattr(forward.Runner, "run", lambda self, pixels: counts.append(len(pixels)) or run_batch(self, pixels))
    return counts


@pytest.fixture(scope="session")
def detector(tmp_path_factory):
    return str(make_detector(tmp_path_factory.mktemp("detector") / "detector.safetensors"))


@pytest.fixture
def photos(tmp_path):
    """Two digits, which are in, and two files that are no images."""
    folder = tmp_path / "photos"
    folder.mkdir()
    digits = open_images("demo:digits")
    for number in (0, 2):
        digits.load(number).save(folder / f"{number}.png")
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("no image")
    return folder
