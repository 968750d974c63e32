"""Each result has a folder of its own, and is found again by path, by name, or as the last one."""

import json
import os
from pathlib import Path

import pytest

from oodkit.cli import runs
from oodkit.cli.runs import find_run, new_folder, require_writable
from oodkit.errors import OodkitError, UsageError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_run(folder, document="{}"):
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(document if isinstance(document, str) else json.dumps(document))


def make_runs(here, **created):
    """By name; a number in place of a time is a document without one."""
    for name, when in created.items():
        make_run(here / "oodkit-runs" / name, {"kind": "diagnose", "created": when})


def test_runs_are_numbered_by_kind():
    kinds = ("diagnose", "diagnose", "score")
    assert [str(new_folder(kind)) for kind in kinds] == [
        f"oodkit-runs/{name}" for name in ("diagnose-001", "diagnose-002", "score-001")
    ]


def test_a_run_goes_on_after_the_highest_number(here):
    for name in ("diagnose-007", "diagnose-x", "diagnose-002"):
        (here / "oodkit-runs" / name).mkdir(parents=True)
    assert new_folder("diagnose").name == "diagnose-008"


def test_what_was_begun_last_is_found_first_by_its_number(here):
    """Of those with three digits and those with more; what the user has named comes last, and a fit is none of synth."""
    for name in ("synth-998", "synth-1000", "synth-999", "synth-mine", "synth-fit-2000"):
        (here / "oodkit-runs" / name).mkdir(parents=True)
    found = [path.name for path, _ in runs.begun("synth", lambda path: {})]
    assert found[:3] == ["synth-1000", "synth-999", "synth-998"]
    assert sorted(found[3:]) == ["synth-fit-2000", "synth-mine"]
    assert new_folder("synth").name == "synth-1001"


def test_two_runs_that_end_at_once_do_not_share_a_folder(monkeypatch):
    """Both list the folder before either has written."""
    seen = list(runs.RUNS.glob("*"))
    monkeypatch.setattr(type(runs.RUNS), "glob", lambda *_: iter(seen))
    assert [new_folder("diagnose").name for _ in range(2)] == ["diagnose-001", "diagnose-002"]


def test_a_place_that_cannot_be_written_says_what_to_do(here):
    (here / "oodkit-runs").write_text("in the way")
    with pytest.raises(OodkitError, match=r"can't make oodkit-runs.diagnose-001: .*; give --output FOLDER"):
        new_folder("diagnose")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc here")
def test_a_place_where_nothing_can_be_made_is_found_before_any_work():
    """Root is permitted to write to /proc, and yet can't; nothing is left where it can be written."""
    with pytest.raises(UsageError, match=r"can't write to /proc/x: .*; give --output FOLDER where you can"):
        require_writable(None, Path("/proc/x"))
    with pytest.raises(UsageError, match=r"can't write to /proc/x.html: .*; give --report FILE where you can"):
        require_writable(Path("/proc/x.html"), None)
    Path("file").write_text("in the way")
    with pytest.raises(UsageError, match=r"can't write to file.x: .*; give --output FOLDER"):
        require_writable(None, Path("file/x"))
    require_writable(Path("a/b/page.html"), Path("c/d"))
    assert os.listdir() == ["file"]  # noqa: PTH208  # names, not paths


def test_a_run_is_found_by_its_path_and_by_its_name(here):
    make_run(here / "elsewhere" / "mine")
    make_run(here / "oodkit-runs" / "diagnose-001")
    for text in ("elsewhere/mine", "elsewhere/mine/result.json", str(here / "elsewhere" / "mine"), "oodkit-runs/diagnose-001"):
        assert str(find_run(text)) == text
    assert str(find_run("diagnose-001")) == "oodkit-runs/diagnose-001"


def test_a_folder_of_the_same_name_that_is_no_run_does_not_hide_one(here):
    """As a folder demo/ of the user's own beside oodkit-runs/demo."""
    (here / "demo").mkdir()
    make_run(here / "oodkit-runs" / "demo")
    assert str(find_run("demo")) == "oodkit-runs/demo"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("nope", "there is no such folder"), ("stopped", r"the folder has no result\.json"), ("x" * 5000, "there is no such folder")],
)
def test_a_run_that_is_not_there_comes_with_those_that_are(here, text, problem):
    make_runs(here, demo="2026-01-02", other="2026-01-01")
    (here / "oodkit-runs" / "stopped").mkdir()
    with pytest.raises(
        UsageError, match=rf"^no run {text}: {problem}; oodkit-runs has demo, other; or give the path of a run's folder$"
    ):
        find_run(text)


def test_of_many_runs_the_last_are_named(here):
    make_runs(here, **{f"diagnose-{number:03}": "2026-01-01" for number in range(1, 15)})
    with pytest.raises(UsageError, match=r"; oodkit-runs has 4 more and diagnose-005, diagnose-006, .*, diagnose-014; or give"):
        find_run("nope")


@pytest.mark.parametrize("text", [None, "nope"])
def test_where_there_is_none_the_command_is_named_that_makes_one(text):
    with pytest.raises(UsageError, match=r"; oodkit-runs has none yet, oodkit diagnose MODEL makes one; or give the path of a run"):
        find_run(text)


def test_the_last_run_is_the_one_made_last_whatever_its_name_file_or_time_zone(here, capsys):
    times = {"a": "2026-01-02T10:00:00+00:00", "b": "2026-01-02T12:30:00+02:00", "c": "2026-01-01T23:00:00-10:00"}
    make_runs(here, **times)  # in UTC 10:00, 10:30 and 09:00
    os.utime(here / "oodkit-runs" / "a" / "result.json", (2**31, 2**31))
    assert find_run(None).name == "b"
    assert capsys.readouterr() == ("", "the run made last: oodkit-runs/b, 2026-01-02 10:30:00 UTC\n")


def test_of_runs_that_ended_in_the_same_second_the_file_written_last_counts(here):
    make_runs(here, a="2026-01-02T10:00:00+00:00", b="2026-01-02T10:00:00+00:00")
    for seconds, name in enumerate(("b", "a")):
        os.utime(here / "oodkit-runs" / name / "result.json", (seconds, seconds))
    assert find_run(None).name == "a"


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[" * 10**5,
        "[]",
        "3",
        '{"kind": "diagnose"}',
        '{"kind": "diagnose", "created": 9}',
        '{"kind": "diagnose", "created": "soon"}',
        '{"kind": "diagnose", "created": "9999-12-31T23:59:59-10:00"}',
        '{"kind": "compare", "created": "2030-01-01"}',
    ],
)
def test_what_is_no_diagnosis_is_not_the_last_run(here, document):
    make_runs(here, good="2026-01-02T10:00:00+00:00")
    make_run(here / "oodkit-runs" / "odd", document)
    assert find_run(None).name == "good"
