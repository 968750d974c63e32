"""A synthesis is known again by what it was asked for, more of it is no other, and nothing foreign is written over."""

import errno
import json
import os
from pathlib import Path

import pytest

from oodkit.errors import UsageError
from oodkit.run_folder import SYNTHESIS
from oodkit.synth.folder import alone_in, differences, is_more, read_run, require_same, write_run

ASKED = {"generator": "biggan", "facts": {"truncation": 1.0}, "seed": 0, "per_class": 5, "classes": ["a", "b"], "quality": None}
RUN_OF = {"kind": "synthesis", "schema": 1, "status": "finished", "created": "", "asked": ASKED, "batch_size": 4, "counts": {}}


def test_an_empty_folder_and_none_have_no_synthesis(tmp_path: Path) -> None:
    (tmp_path / ".journal").mkdir()
    assert read_run(tmp_path) is None
    assert read_run(tmp_path / "new") is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_run(tmp_path, RUN_OF)
    assert read_run(tmp_path) == RUN_OF


def test_other_files_are_not_written_among(tmp_path: Path) -> None:
    (tmp_path / "mine\n.txt").touch()
    with pytest.raises(
        UsageError, match=r"holds 'mine\\n.txt' and no synthesis of oodkit's beside it; give another folder, a new one"
    ):
        read_run(tmp_path)
    with pytest.raises(UsageError, match="is a file; give the name of a folder"):
        read_run(tmp_path / "mine\n.txt")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"kind": "training"}', "[" * 9999, "\udcff"])
def test_a_damaged_run_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / SYNTHESIS).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=r"run.json is damaged or no synthesis of oodkit's; give another folder, a new one"):
        read_run(tmp_path)


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / SYNTHESIS)
    monkeypatch.setattr(Path, "read_text", lambda *_: pytest.fail("it was read"))
    with pytest.raises(UsageError, match=r"run.json is damaged or no synthesis of oodkit's"):
        read_run(tmp_path)


def test_one_that_may_not_be_read_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    write_run(tmp_path, RUN_OF)
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(UsageError, match=r"^can't read .*run.json: Permission denied; make it readable, or give another folder$"):
        read_run(tmp_path)
    monkeypatch.undo()
    with pytest.raises(UsageError, match=r"^can't read x*/run.json: File name too long; "):
        read_run(Path("x" * 300))


@pytest.mark.parametrize("wrong", [{"asked": []}, {"batch_size": "4"}, {"batch_size": 0}, {"status": None}, {"counts": None}])
def test_so_is_one_with_a_value_of_another_kind(tmp_path: Path, wrong: dict[str, object]) -> None:
    write_run(tmp_path, RUN_OF | wrong)
    with pytest.raises(
        UsageError, match=f"run.json is damaged: {next(iter(wrong))} is missing or no such value; give another folder"
    ):
        read_run(tmp_path)


def test_another_version_s_is_named(tmp_path: Path) -> None:
    write_run(tmp_path, RUN_OF | {"schema": 2})
    with pytest.raises(UsageError, match="of schema 2, and this oodkit reads schema 1; take the oodkit that wrote it"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"per_class": 6}, []),
        ({"per_class": 4}, ["per class 5 there, 4 here"]),
        ({"seed": 1, "generator": "x\x1b"}, ["generator biggan there, x\\x1b here", "seed 0 there, 1 here"]),
        ({"facts": {"truncation": 0.5}}, ["truncation of the generator 1.0 there, 0.5 here"]),
        ({"facts": {}}, ["truncation of the generator 1.0 there, none here"]),
        ({"quality": 90}, ["quality none there, 90 here"]),
        ({"classes": ["a", "c"]}, ["other classes (2 there, 2 here, such as c)"]),
        ({"classes": ["b", "a"]}, ["other classes (2 there, 2 here, in another order)"]),
        ({"classes": None}, ["classes there or here alone"]),
    ],
)
def test_what_differs_is_said(tmp_path: Path, change: dict[str, object], words: list[str]) -> None:
    now = ASKED | change
    assert sorted(differences(ASKED, now)) == sorted(words)
    if words:
        with pytest.raises(UsageError, match=r"holds another synthesis: .*; ask for the same again, or for more, or give another"):
            require_same(tmp_path, ASKED, now)
    else:
        require_same(tmp_path, ASKED, now)


def test_more_images_of_the_same_are_more() -> None:
    assert is_more(ASKED, ASKED | {"per_class": 6})
    assert not is_more(ASKED, ASKED)
    assert not is_more(ASKED, ASKED | {"per_class": 6, "seed": 1})


def test_two_processes_of_one_rank_do_not_work_in_a_folder(tmp_path: Path) -> None:
    text = r"another process is making images into .*; wait for it, or give another folder"
    with alone_in(tmp_path, 0), alone_in(tmp_path, 1), pytest.raises(UsageError, match=text), alone_in(tmp_path, 0):
        pass
    with alone_in(tmp_path, 0):
        pass


def test_a_run_is_json_that_any_program_reads(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_run(tmp_path, {"seconds": float("nan")})
    write_run(tmp_path, {"name": "ä\n"})
    assert json.loads((tmp_path / SYNTHESIS).read_text("ascii")) == {"name": "ä\n"}
