"""Outputs on disk: whole shards only, memory-mapped, and one line where something is wrong."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from oodkit.errors import OutputsError
from oodkit.head import Head
from oodkit.outputs import Skipped
from oodkit.shards import (
    HEAD_FILE,
    Manifest,
    absent_shards,
    missing_shards,
    open_outputs,
    read_manifest,
    read_shard,
    write_manifest,
    write_shard,
)

HEAD = Head(torch.eye(2, 3), torch.zeros(2))


def tensors(indices):
    indices = torch.tensor(indices, dtype=torch.int64)
    features = indices[:, None] * torch.ones(3).half()
    return {"features": features, "logits": HEAD(features.float()), "labels": indices % 2, "indices": indices}


@pytest.fixture
def folder(tmp_path):
    """Seven images in shards of three; image 4 could not be read."""
    write_manifest(tmp_path, Manifest("key", 7, 3, 2, {"model": "tiny"}))
    HEAD.save(tmp_path / HEAD_FILE)
    write_shard(tmp_path, 0, tensors([0, 1, 2]), [])
    write_shard(tmp_path, 1, tensors([3, 5]), [Skipped(4, "x.png", "truncated")])
    write_shard(tmp_path, 2, tensors([6]), [])
    return tmp_path


def test_whoever_may_read_one_file_of_the_folder_may_read_all(folder):
    """safetensors lets nobody but the owner read, and a cache may be several people's."""
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


def test_a_manifest_is_read_as_it_was_written(folder):
    manifest = read_manifest(folder)
    assert manifest == Manifest("key", 7, 3, 2, {"model": "tiny"})
    assert manifest.num_shards == 3
    assert [manifest.shard_range(shard) for shard in range(3)] == [range(3), range(3, 6), range(6, 7)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_manifest_that_cannot_be_read_counts_as_none(tmp_path, text):
    assert read_manifest(tmp_path) is None
    (tmp_path / "manifest.json").write_text(text)
    assert read_manifest(tmp_path) is None
    with pytest.raises(OutputsError, match="no outputs in"):
        open_outputs(tmp_path)


def test_shards_open_as_one_with_gaps_where_images_were_skipped(folder):
    outputs = open_outputs(folder)
    assert outputs.skipped == (Skipped(4, "x.png", "truncated"),)
    assert outputs.indices.tolist() == [0, 1, 2, 3, 5, 6]
    assert outputs.labels.tolist() == [0, 1, 0, 1, 1, 0]
    assert outputs.logits[:, 0].tolist() == [0, 1, 2, 3, 5, 6]
    assert outputs.features.dtype == torch.float16
    assert next(outputs.chunks()).features.dtype == torch.float32


def test_shards_are_joined_without_being_read_into_memory(tmp_path):
    """The features of a shard of 64 MB are pages of its file."""
    columns = {"logits": torch.ones(4096, 2), "labels": torch.zeros(4096).long(), "indices": torch.arange(4096)}
    write_shard(tmp_path, 0, {"features": torch.ones(4096, 4096), **columns}, [])
    before = _anonymous_bytes()
    features = read_shard(tmp_path, 0)[0]["features"]
    assert float(features.sum()) == 4096**2
    assert _anonymous_bytes() - before < 16 * 2**20


def _anonymous_bytes():
    try:
        with Path("/proc/self/status").open() as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))
    except (FileNotFoundError, StopIteration):
        pytest.skip("this system does not tell a process's anonymous memory")


def test_what_is_missing_or_damaged_is_to_be_made_again(folder):
    manifest = read_manifest(folder)
    assert missing_shards(folder, manifest) == []
    (folder / "00002.safetensors").unlink()
    damaged = folder / "00001.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-5])
    assert missing_shards(folder, manifest) == [1, 2]
    with pytest.raises(OutputsError, match=r"can't read .*00001.safetensors: .*; delete it and run again"):
        read_shard(folder, 1)
    with pytest.raises(OutputsError, match="delete it and run again"):
        open_outputs(folder)


@pytest.mark.parametrize("column", ["features", "logits", "labels", "indices"])
def test_a_shard_without_one_of_its_columns_is_damaged(folder, column):
    rest = tensors([0, 1, 2])
    del rest[column]
    write_shard(folder, 0, rest, [])
    assert missing_shards(folder, read_manifest(folder)) == [0]
    with pytest.raises(OutputsError, match=f"00000.safetensors: it has no {column}; delete it and run again"):
        open_outputs(folder)


@pytest.mark.parametrize("one", ['{"index": 1, "name": {}, "reason": "r"}', '{"index": "1", "name": "a", "reason": "r"}', "3"])
def test_a_shard_that_names_what_it_skipped_otherwise_is_damaged(folder, one):
    tensors, _ = read_shard(folder, 1)
    whole = {name: tensor.clone() for name, tensor in tensors.items()}
    shard = folder / "00001.safetensors"
    shard.unlink()  # and not written into: its tensors are memory-mapped
    save_file(whole, shard, {"skipped": f"[{one}]"})
    with pytest.raises(OutputsError, match=r"can't read .*00001\.safetensors: .*; delete it and run again"):
        read_shard(folder, 1)


def test_a_shard_whose_columns_have_different_rows_is_damaged(folder):
    write_shard(folder, 0, {**tensors([0, 1, 2]), "labels": torch.zeros(2).long()}, [])
    assert missing_shards(folder, read_manifest(folder)) == [0]
    with pytest.raises(OutputsError, match="its columns have different numbers of rows; delete it"):
        read_shard(folder, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_one_changed_bit_is_noticed(folder, dtype):
    columns = tensors([0, 1, 2])
    write_shard(folder, 0, {**columns, "features": columns["features"].to(dtype)}, [])
    assert missing_shards(folder, read_manifest(folder)) == []
    path = folder / "00000.safetensors"
    whole = path.read_bytes()
    for place in (-1, -len(columns["indices"]) * 8 - 3):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert missing_shards(folder, read_manifest(folder)) == [0]
        assert absent_shards(folder, read_manifest(folder)) == []
        with pytest.raises(OutputsError, match="its contents are not those that were written; delete it"):
            read_shard(folder, 0, verify=True)


def test_a_shard_without_a_checksum_is_made_again(folder):
    save_file(tensors([0, 1, 2]), folder / "00000.safetensors", {"skipped": "[]"})
    assert missing_shards(folder, read_manifest(folder)) == [0]


def test_what_killed_runs_left_is_removed_after_a_day(folder):
    old, new = folder / ".00000.safetensors.12-ab.tmp", folder / ".00001.safetensors.34-cd.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    missing_shards(folder, read_manifest(folder))
    assert not old.exists()
    assert new.exists()


def test_a_shard_without_a_readable_image_is_whole_and_a_set_of_them_is_an_error(tmp_path):
    write_manifest(tmp_path, Manifest("key", 2, 3, 2))
    HEAD.save(tmp_path / HEAD_FILE)
    write_shard(tmp_path, 0, tensors([]), [Skipped(0, "a", "empty"), Skipped(1, "b", "empty")])
    assert missing_shards(tmp_path, read_manifest(tmp_path)) == []
    assert read_shard(tmp_path, 0)[1] == [Skipped(0, "a", "empty"), Skipped(1, "b", "empty")]
    with pytest.raises(OutputsError, match="none of 2 images could be read"):
        open_outputs(tmp_path)
