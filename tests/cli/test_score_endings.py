"""``oodkit score`` that ends early, or writes to what is no file: what is left, and what it says."""

import os
import shlex
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from oodkit.calibration import Calibration
from oodkit.classifier import load_classifier
from oodkit.cli import scoring
from oodkit.cli.rows import RowWriter
from oodkit.cli.score import RowFormat, Status
from oodkit.detector import Detector
from oodkit.errors import OodkitError
from oodkit.scorers import make_scorer
from oodkit.streaming import Row

from .scoring import HEADER, HERE, NET, rows_of


def test_a_file_has_its_name_once_it_is_whole(run, detector, photos, monkeypatch):
    ran = run("score", detector, "photos", "-o", "new/rows.csv", *HERE)
    assert (ran.code, ran.out) == (0, "new/rows.csv\n")
    file = Path("new/rows.csv")
    assert file.read_text("utf-8") == run("score", detector, "photos", *HERE).out
    assert list(file.parent.iterdir()) == [file]
    before = file.stat()

    fail_after(2, OodkitError("the disk is gone"), monkeypatch)
    ran = run("score", detector, "photos", "-o", "new/rows.csv", *HERE)
    assert (ran.code, ran.out, ran.err) == (1, "", "error: the disk is gone\n")
    assert file.stat() == before
    assert [row["path"] for row in rows_of(Path("new/rows.csv.partial").read_text("utf-8"))] == ["photos/0.png", "photos/2.png"]


def test_a_row_is_there_for_others_as_soon_as_it_is_written(tmp_path):
    with RowWriter(RowFormat.csv, tmp_path / "rows.csv") as writer:
        assert writer.partial.read_text("utf-8") == f"{HEADER}\n"
        writer.put(Row("a.png", 3, "three", 0.5, 0.25, True), Status.in_)
        assert writer.partial.read_text("utf-8").splitlines()[1:] == ["a.png,three,3,0.5,0.25,in,"]


def fail_after(count, error, monkeypatch):
    whole = scoring.score_stream

    def failing(*arguments, **options):
        with closing(whole(*arguments, **options)) as rows:
            yield from islice(rows, count)
        raise error

    monkeypatch.setattr(scoring, "score_stream", failing)


def test_an_interrupt_leaves_the_rows_so_far(run, detector, photos, monkeypatch):
    fail_after(2, KeyboardInterrupt(), monkeypatch)
    ran = run("score", detector, "photos", *HERE)
    assert ran.code == 130
    assert [row["path"] for row in rows_of(ran.out)] == ["photos/0.png", "photos/2.png"]
    assert ran.err.startswith("interrupted after 2 images: 2 in, 0 out (0.0 % of what could be read), 0 unreadable\n")
    ran = run("score", detector, "photos", "-o", "rows.csv", *HERE)
    assert ran.code == 130
    assert "; the rows so far are in rows.csv.partial\n" in ran.err


def test_a_pipe_is_written_to_as_it_is(run, detector, photos):
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    ran = run("score", detector, "photos/0.png", "-o", "pipe", *HERE)
    assert ran.code == 0
    assert os.read(reader, 1 << 16).decode().splitlines()[0] == HEADER
    os.close(reader)
    assert not Path("pipe.partial").exists()


def test_a_reader_that_goes_away_ends_it_without_a_word(photos):
    """Nor when Python ends, which writes what is left; so in a process of its own, of a network that takes no timm to load."""
    folder = photos.parent
    (folder / "net.py").write_text(NET)
    own = f"py:{folder / 'net.py'}:net"
    calibration = Calibration(np.arange(20.0), 0.05)
    Detector(load_classifier(own, input_size=32), make_scorer("mls"), calibration).save(folder / "own.safetensors")
    words = ("own.safetensors", "-", "-b", "8", "--model", own, "--input-size", "32")
    line = f"{shlex.join([sys.executable, '-m', 'oodkit', 'score', *words])} | head -n 3; echo ${{PIPESTATUS[0]}}"
    how = {"env": {**os.environ, "OODKIT_WORKERS": "0", "OODKIT_DEVICE": "cpu"}, "cwd": folder}
    more_than_a_pipe_holds = f"{'photos/../' * 100}photos/0.png\n" * 120
    done = subprocess.run(["bash", "-c", line], check=False, capture_output=True, text=True, input=more_than_a_pipe_holds, **how)
    lines = done.stdout.splitlines()
    assert lines[0] == HEADER
    assert (len(lines), lines[-1], done.stderr) == (4, "141", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
def test_a_full_disk_is_one_line(run, detector, monkeypatch):
    ran = run("score", detector, "demo:digits", "-o", "/dev/full", *HERE)
    full = "error: can't write {}: No space left on device; free some space or {}\n"
    assert (ran.code, ran.err) == (1, full.format("/dev/full", "choose another file"))
    with open("/dev/full", "w", encoding="utf-8") as stdout:  # noqa: PTH123  (no path, a device)
        monkeypatch.setattr(sys, "stdout", stdout)
        ran = run("score", detector, "demo:digits", *HERE)
    assert (ran.code, ran.err) == (1, full.format("to stdout", "give --output FILE"))
