"""``oodkit score``: rows for programs and people and the gate."""

import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from oodkit.calibration import Calibration
from oodkit.detector import Detector
from oodkit.images import open_images

from .scoring import HEADER, HERE, NET, make_detector, rows_of


def test_csv_has_a_row_for_each_image_and_a_summary_on_stderr(run, detector, photos):
    ran = run("score", detector, "photos", *HERE)
    assert ran.code == 0
    assert ran.out.splitlines()[0] == HEADER
    rows = rows_of(ran.out)
    assert [row["path"] for row in rows] == ["photos/0.png", "photos/2.png", "photos/empty.png", "photos/text.png"]
    assert [row["status"] for row in rows] == ["in", "in", "unreadable", "unreadable"]
    assert rows[0]["class_name"] == rows[0]["class_index"] == str(open_images("demo:digits").labels[0])
    assert float(rows[0]["p_value"]) > 0.05
    assert rows[2] == dict(zip(HEADER.split(","), ["photos/empty.png", "", "", "", "", "unreadable", "an empty file"], strict=True))
    assert ran.err == "4 images: 2 in, 0 out (0.0 % of what could be read), 2 unreadable\n"


def test_json_lines_hold_the_same(run, detector, photos):
    table = rows_of(run("score", detector, "photos", *HERE).out)
    lines = [json.loads(line) for line in run("score", detector, "photos", "--format", "jsonl", *HERE).out.splitlines()]
    assert [{key: "" if value is None else str(value) for key, value in line.items()} for line in lines] == table
    assert isinstance(lines[0]["score"], float)
    assert isinstance(lines[0]["class_index"], int)
    assert lines[2]["score"] is None


@pytest.mark.parametrize("scorer", ["mls", "knn"])
def test_scores_are_those_that_diagnose_stored(run, tmp_path, scorer):
    sets = ("--id", "demo:digits", "--far", "patches=demo:photo-patches", "--fit", "demo:digits:train", "--baseline", "none")
    assert run("diagnose", "demo:digits-v2", *sets, "--scorer", scorer, "-o", "run", *HERE).code == 0
    stored = load_file("run/scores.safetensors")
    make_detector(tmp_path / "detector.safetensors", scorer=scorer)
    ran = run("score", "detector.safetensors", "demo:digits", "demo:photo-patches", *HERE)
    scores = np.array([float(row["score"]) for row in rows_of(ran.out)])
    np.testing.assert_allclose(scores, np.concatenate([stored["0.0.0"], stored["0.0.1"]]), rtol=1e-6)


def test_hostile_names_stay_in_their_cells(run, detector, photos, monkeypatch):
    """In CSV as in every other; in JSON lines exactly, but for bytes that are no UTF-8."""
    hostile = ["=1+1.png", "line\nbreak.png", 'quo"te,.png', "\x1b[31mred.png", "\udcff.png", "\u202egnp.png"]
    for name in hostile:
        (photos / name).write_bytes((photos / "0.png").read_bytes())
    monkeypatch.chdir(photos)
    ran = run("score", detector, *hostile, *HERE)
    spelled = ["'=1+1.png", r"line\nbreak.png", 'quo"te,.png', r"\x1b[31mred.png", r"\udcff.png", r"\u202egnp.png"]
    assert [row["path"] for row in rows_of(ran.out)] == spelled
    assert {row["status"] for row in rows_of(ran.out)} == {"in"}
    assert len(ran.out.splitlines()) == 1 + len(hostile)
    lines = run("score", detector, *hostile, "--format", "jsonl", *HERE).out
    assert [json.loads(line)["path"] for line in lines.splitlines()] == [
        r"\udcff.png" if "\udcff" in name else name for name in hostile
    ]
    assert lines.replace("\n", "").isprintable()
    assert lines.isascii()


def test_only_writes_what_is_asked_for_and_counts_everything(run, detector, photos):
    ran = run("score", detector, "photos", "demo:photo-patches", "--only", "out", "--only", "unreadable", *HERE)
    statuses = [row["status"] for row in rows_of(ran.out)]
    assert set(statuses) == {"out", "unreadable"}
    assert ran.err.startswith(f"404 images: {404 - len(statuses)} in, {statuses.count('out')} out (")


def test_a_gate_fails_where_more_are_out_than_it_allows(run, detector):
    """Of the images that could be read; the same share is allowed, and the rows are all there."""
    out = [row["status"] for row in rows_of(run("score", detector, "demo:photo-patches", *HERE).out)].count("out")
    assert 100 < out < 400
    assert run("score", detector, "demo:photo-patches", "--fail-over", str(out / 400), *HERE).code == 0
    ran = run("score", detector, "demo:photo-patches", "--fail-over", str((out - 1) / 400), "-o", "rows.csv", *HERE)
    assert ran.code == 4
    assert ran.err.splitlines()[-1].startswith(f"gate failed: {out} of 400 images out ({out / 4:.1f} %), more than --fail-over 0.")
    assert len(rows_of(Path("rows.csv").read_text("utf-8"))) == 400


def test_what_cannot_be_read_does_not_count_for_the_gate(run, detector, photos):
    """Of 4 images 2 can't be read, and of the others 1 is out: a half, not a quarter."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(photos / "0.png")
    assert [row["status"] for row in rows_of(run("score", detector, "photos", *HERE).out)][:2] == ["out", "in"]
    assert run("score", detector, "photos", "--fail-over", "0.49", *HERE).code == 4
    assert run("score", detector, "photos", "--fail-over", "0.5", *HERE).code == 0


def test_a_list_on_stdin(run, detector, photos, monkeypatch):
    for separator, options in ((b"\n", ()), (b"\0", ("--null",))):
        text = separator.join([b"photos/0.png", b"photos/gone.png", b"photos/2.png"])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        ran = run("score", detector, "-", *options, *HERE)
        assert [(row["path"], row["reason"]) for row in rows_of(ran.out)] == [
            ("photos/0.png", ""),
            ("photos/gone.png", "No such file or directory"),
            ("photos/2.png", ""),
        ]
    monkeypatch.setattr(sys, "stdin", None)
    assert "there is no stdin here" in run("score", detector, "-", *HERE).err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nowhere",), 3, "no folder or file nowhere"),
        (
            ("photos/text.png",),
            3,
            "none could be read of 1 image; the first is photos/text.png: not an image of a format that Pillow",
        ),
        (
            ("photos/text.png", "photos/empty.png", "--fail-over", "0"),
            3,
            "none could be read of 2 images; the first is photos/text.png",
        ),
        (("empty",), 3, "the first is empty: a folder that holds no image, by the names of its files; check the paths"),
        (("-",), 3, "no image to score: the list on stdin is empty"),
        (("-", "-"), 2, "- can stand once among the images"),
        (("photos", "--arch", "resnet18"), 2, "--arch resnet18 says how a network is loaded: give --model NAME too"),
        (("photos", "--model", "demo:digits-v1"), 3, "are others than it was made with"),
        (("photos", "--fail-over", "nan"), 2, ""),
        (("photos", "-o", "photos"), 2, "--output photos is a folder; give the name of a file"),
        (("photos", "--device", "tpu"), 2, "no device 'tpu'"),
        ((), 2, "Missing argument 'IMAGES…'"),
    ],
)
def test_wrong_input_is_one_clear_line(run, detector, photos, monkeypatch, arguments, code, message):
    Path("empty").mkdir()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    ran = run("score", detector, *arguments, "--workers", "0")
    assert ran.code == code
    assert message in " ".join(ran.err.replace("│", "").split())


def test_a_share_above_one_is_beyond_the_bounds(run, detector, photos):
    """The words are those of typer, which has others from version to version."""
    ran = run("score", detector, "photos", "--fail-over", "1.5", "--workers", "0")
    assert ran.code == 2
    assert re.search("less than or equal to 1|x<=1", " ".join(ran.err.replace("│", "").split()))


def test_a_detector_that_is_none(run, photos):
    for name in ("nowhere.safetensors", "photos/text.png"):
        ran = run("score", name, "photos", *HERE)
        assert (ran.code, ran.out) == (3, "")
        assert name in ran.err


def test_a_network_of_ones_own_code_is_named(run, tmp_path, photos):
    (tmp_path / "net.py").write_text(NET)
    own = f"py:{tmp_path / 'net.py'}:net"
    make_detector(tmp_path / "own.safetensors", own, input_size=32)
    ran = run("score", "own.safetensors", "photos", *HERE)
    assert (ran.code, ran.out) == (3, "")
    assert "--model" in ran.err
    ran = run("score", "own.safetensors", "photos", "--model", own, "--input-size", "32", *HERE)
    assert ran.code == 0
    assert len(rows_of(ran.out)) == 4


def test_too_few_calibration_images_are_told(run, detector, photos):
    loaded = Detector.load(detector)
    Detector(loaded.model, loaded.scorer, Calibration(np.arange(5.0), 0.05)).save("few.safetensors")
    ran = run("score", "few.safetensors", "photos/0.png", *HERE)
    assert ran.err.splitlines()[0] == "note: 5 calibration images reject nothing at alpha 0.05: give at least 19"


def test_another_precision_than_the_calibrations_is_told(run, detector, photos):
    other = (
        "note: calibrated in {}, scores in {} are others, and so is the share that is out; use --dtype {}, or calibrate in {} too"
    )
    first = run("score", detector, "photos/0.png", "--dtype", "bfloat16", *HERE).err.splitlines()[0]
    assert first == other.format("float32", "bfloat16", "float32", "bfloat16")
    loaded = Detector.load(detector)
    Detector(loaded.model, loaded.scorer, replace(loaded.calibration, dtype="bfloat16")).save("half.safetensors")
    assert run("score", "half.safetensors", "photos/0.png", "--dtype", "bfloat16", *HERE).err.startswith("1 image: 1 in")
    assert run("score", "half.safetensors", "photos/0.png", *HERE).err.startswith(other.format(*["bfloat16", "float32"] * 2))


def test_quiet_says_nothing_but_the_rows(run, detector, photos):
    ran = run("score", detector, "photos", "-q", *HERE)
    assert (len(ran.out.splitlines()), ran.err) == (5, "")
    assert run("score", detector, "photos", "-q", "-o", "rows.csv", *HERE)[1:] == ("rows.csv\n", "")


def test_the_bar_on_a_terminal_does_not_swallow_rows(run, detector, monkeypatch):
    """rich takes over stdout while a bar is drawn on stderr."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    ran = run("score", detector, "demo:digits", *HERE)
    assert len(rows_of(ran.out)) == 433
    assert "images/s" in ran.err
