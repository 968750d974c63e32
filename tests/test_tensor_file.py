"""Tensors and words in one file: what is read is what was written, or it is one line."""

import os

import pytest
import torch
from safetensors.torch import save_file

from oodkit.errors import OutputsError
from oodkit.tensor_file import load_stored, save_stored

TENSORS = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(7), "none": torch.ones(0, 3)}


def test_tensors_and_words_come_back(tmp_path):
    save_stored(tmp_path / "one.safetensors", TENSORS, {"who": "Zoë \x1b"})
    tensors, words = load_stored(tmp_path / "one.safetensors", "a thing")
    assert words == {"who": "Zoë \x1b"}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_whoever_may_read_new_files_may_read_it(tmp_path):
    (tmp_path / "new").touch()
    save_stored(tmp_path / "one.safetensors", TENSORS, {})
    assert (tmp_path / "one.safetensors").stat().st_mode == (tmp_path / "new").stat().st_mode


def test_every_changed_byte_is_found(tmp_path):
    """Header, words and numbers alike; what still opens must say the same as before."""
    path = tmp_path / "one.safetensors"
    save_stored(path, TENSORS, {"who": "me"})
    whole = path.read_bytes()
    told, found = [], 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            tensors, words = load_stored(path, "a thing")
        except OutputsError as error:
            told.append(str(error))
            found += 1
        else:
            assert words["who"] == "me"  # where the word checksum is another now, it is as if there were none
            assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert found > 0.9 * len(whole)
    assert all(one.startswith(f"can't read a thing from {path}: ") and "\n" not in one for one in told)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100])
def test_a_truncated_file_is_one_line(tmp_path, length):
    save_stored(tmp_path / "one.safetensors", TENSORS, {})
    os.truncate(tmp_path / "one.safetensors", length)
    with pytest.raises(OutputsError, match="can't read a thing from"):
        load_stored(tmp_path / "one.safetensors", "a thing")


def test_a_folder_or_nothing_is_one_line(tmp_path):
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(OutputsError, match="can't read a thing from"):
            load_stored(path, "a thing")


def test_what_others_have_written_without_a_checksum_is_read(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "one.safetensors", {"format": "pt"})
    tensors, words = load_stored(tmp_path / "one.safetensors", "a thing")
    assert (tensors["a"].tolist(), words) == ([1, 1], {"format": "pt"})


def test_a_file_of_another_kind_is_told_with_what_to_do(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"PK\x03\x04" + bytes(range(256)))
    with pytest.raises(OutputsError) as error:
        load_stored(tmp_path / "weights.pth", "a detector")
    told = f"can't read a detector from {tmp_path / 'weights.pth'}: it is damaged, or no safetensors file ("
    assert str(error.value).startswith(told)
    assert str(error.value).endswith("); give one that oodkit wrote, or make it again")
