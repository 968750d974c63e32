import pytest
import torch
from safetensors.torch import save_file

from oodkit.atomic import write_atomically
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
