import os

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from oodkit.atomic import DAY, remove_stale, write_atomically
from oodkit.errors import OodkitError


def test_the_file_appears_under_its_name_only_when_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"

    def write(temporary):
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")

    write_atomically(path, write)
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OodkitError, match=r"can't write .*below.txt: .*; free some space or choose another folder"):
        write_atomically(tmp_path / "file" / "below.txt", lambda path: path.write_text(""))


def test_tensors_that_cannot_be_written_say_the_same(tmp_path):
    """safetensors has an error of its own for a full disk or a folder that went away."""
    with pytest.raises(OodkitError, match=r"can't write .*file.safetensors: .*No such file or directory"):
        write_atomically(
            tmp_path / "file.safetensors", lambda path: save_file({"a": torch.zeros(1)}, path.parent / "gone" / path.name)
        )


def test_what_safetensors_says_of_a_full_disk_is_said_as_of_any_file(tmp_path):
    def full(_path):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(OodkitError, match=r"can't write .*file: No space left on device; free some space or choose another folder"):
        write_atomically(tmp_path / "file", full)


def test_two_writers_in_one_process_do_not_share_a_temporary_file(tmp_path):
    path = tmp_path / "file.txt"

    def write(temporary):
        temporary.write_text("outer")
        write_atomically(path, lambda other: other.write_text("inner"))
        assert path.read_text() == "inner"

    write_atomically(path, write)
    assert path.read_text() == "outer"
    assert list(tmp_path.iterdir()) == [path]


def test_the_contents_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    path, synced = tmp_path / "file.txt", []

    def fsync(descriptor):
        assert not path.exists()
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(path, lambda temporary: temporary.write_text("whole"))
    assert synced == [5]


def test_temporary_files_go_when_they_are_a_day_old_and_nothing_else_does(tmp_path):
    now = (tmp_path / "clock").write_text("") or (tmp_path / "clock").stat().st_mtime
    ages = {".a.txt.1-ff.tmp": 2 * DAY, ".b.txt.1-ff.tmp": DAY / 2, "c.tmp": 2 * DAY, ".hidden": 2 * DAY}
    for name, age in ages.items():
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (now - age, now - age))
    remove_stale(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".b.txt.1-ff.tmp", "c.tmp", ".hidden", "clock"}
    remove_stale(tmp_path / "nowhere")
