"""What the journals say of a folder holds whatever happened to the processes that wrote them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from oodkit.errors import OodkitError
from oodkit.synth.base import ImageClass
from oodkit.synth.journal import DROPPED, JOURNAL, MANIFEST, OVER_QUOTA, Journal, Ledger
from oodkit.synth.storing import ENDS
from oodkit.synth.work import Work

WORK = Work((ImageClass("a", "a"), ImageClass("b", "b")), [2, 2], 0)
FREE = Work(None, [4], 0)


def line(name: str | None, index: int, **more: object) -> dict[str, object]:
    return {"file": f"{name}/{index}.png", "class": name, "index": index, **more}


def there(folder: Path, *lines: dict[str, object]) -> None:
    for one in lines:
        (folder / str(one["file"])).parent.mkdir(exist_ok=True)
        (folder / str(one["file"])).write_bytes(b"".join(ENDS[".png"]))


def ledger(folder: Path, work: Work = WORK) -> Ledger:
    return Ledger(folder, work, ["a", "b"])


def test_nothing_is_done_in_an_empty_folder(tmp_path: Path) -> None:
    assert not ledger(tmp_path).done.any()
    assert not (tmp_path / JOURNAL).exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes by name here")
def test_a_manifest_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / MANIFEST)
    assert not ledger(tmp_path).is_whole


def test_the_lines_of_several_processes_add_up(tmp_path: Path) -> None:
    first, second, dropped = line("a", 0), line("b", 1), line("b", 0, file=None, dropped="unsure")
    there(tmp_path, first, second)
    with Journal(tmp_path, 0) as one, Journal(tmp_path, 1) as other:
        one.write(first)
        other.write(second)
        one.write(dropped)
    found = ledger(tmp_path)
    assert found.done.tolist() == [True, True, False, True]  # a 0, b 0, a 1, b 1
    assert found.kept.tolist() == [True, False, False, True]
    assert found.label.tolist() == [0, 1, -1, 1]
    assert list(found.lines(np.array([3, 0, 1]))) == [second, first, dropped]


def test_a_line_without_its_file_does_not_count(tmp_path: Path) -> None:
    with Journal(tmp_path, 0) as journal:
        journal.write(line("a", 0))
    assert not ledger(tmp_path).done.any()


@pytest.mark.parametrize(
    "broken",
    [
        *("", "\n", "null\n", "[1]\n", "{}\n", "\x00\n", '{"file": "a/0.png"}\n', '{"class": [], "file": "a/1.png", "index": 1}\n'),
        *(json.dumps(one) + "\n" for one in (line("c", 0), line("a", 9), line("a", 0) | {"index": 0.5})),
        *(json.dumps(line("a", 1)), json.dumps(line("a", 1))[:20], json.dumps(line("a", 1))[:20] + "\n"),
    ],
)
def test_what_is_no_whole_line_of_these_images_is_passed_over(tmp_path: Path, broken: str) -> None:
    there(tmp_path, line("a", 0), line("b", 0), line("a", 1))
    (tmp_path / JOURNAL).mkdir()
    for name, text in (("0-1.jsonl", broken), ("0-2.jsonl", json.dumps(line("b", 0)) + "\n" + broken)):
        (tmp_path / JOURNAL / name).write_text(text)
    assert ledger(tmp_path).done.tolist() == [False, True, False, False]


def test_a_manifest_counts_and_what_was_over_a_quota_does_not(tmp_path: Path) -> None:
    kept, unsure, over = line("b", 2), line("a", 0, dropped="unsure"), line("a", 1, dropped=OVER_QUOTA)
    there(tmp_path, kept)
    (tmp_path / MANIFEST).write_text(json.dumps(kept) + "\n")
    (tmp_path / DROPPED).write_text(json.dumps(unsure) + "\n" + json.dumps(over) + "\n")
    found = ledger(tmp_path, FREE)
    assert (found.done.tolist(), found.kept.tolist()) == ([True, False, True, False], [False, False, True, False])
    assert found.label.tolist() == [0, -1, 1, -1]


def test_an_image_without_a_class_has_a_line_too(tmp_path: Path) -> None:
    flat = {"file": "7.png", "class": None, "index": 3}
    there(tmp_path, flat)
    with Journal(tmp_path, 0) as journal:
        journal.write(flat)
    assert ledger(tmp_path, FREE).done.tolist() == [False, False, False, True]


def test_a_disk_that_takes_half_a_line_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, text: write(descriptor, text[:5]))
    text = r"can't write .*jsonl: No space left on device; free some space, and the same command goes on"
    with Journal(tmp_path, 0) as journal, pytest.raises(OodkitError, match=text):
        journal.write(line("a", 0))
    assert not ledger(tmp_path).done.any()


@pytest.mark.parametrize("name", ["a/.png", ".jpg", "a/0.png/", "a/0.gif", "png", "\ud800.png", "a\0.png"])
def test_a_name_that_no_stored_image_has_is_that_of_none(tmp_path: Path, name: str) -> None:
    there(tmp_path, line("a", 0))
    (tmp_path / MANIFEST).write_text(json.dumps(line("a", 0) | {"file": name}) + "\n")
    assert not ledger(tmp_path).done.any()


def test_a_line_without_a_class_settles_none_of_images_that_have_one(tmp_path: Path) -> None:
    there(tmp_path, line("a", 0))
    (tmp_path / MANIFEST).write_text(json.dumps(line("a", 0) | {"class": None}) + "\n")
    assert not ledger(tmp_path).done.any()


@pytest.mark.parametrize(
    "odd",
    [*(f'{{"file": "a/0.png", "class": "a", "index": 0, "confidence": {one}}}' for one in ("NaN", "1e999")), "[" * 99_999],
)
def test_a_line_that_is_no_json_is_none(tmp_path: Path, odd: str) -> None:
    """What is not finite could not be written again, and what is nested too deep not be read."""
    there(tmp_path, line("a", 0))
    (tmp_path / MANIFEST).write_text(odd + "\n")
    assert not ledger(tmp_path).done.any()
