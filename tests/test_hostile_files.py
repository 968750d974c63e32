"""Files of oodkit's own formats may be cut off, damaged or crafted: one line says so, or they are read; no code runs."""

import json
import os
import random
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from oodkit.errors import OodkitError

from .stored_files import KINDS, STORED, Kind, outcome
from .torture.mutations import EVIL, ODD_WORDS, SPOILT


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    return {name: Kind(folder, name) for name in KINDS}


def places(kind: Kind, count: int, seed: int) -> list[int]:
    """Positions in the file, half of them in its header."""
    rng, size = random.Random(seed), len(kind.whole)
    count = 4 if kind.name.startswith("run") else count  # held against the schema each time
    header = 8 + struct.unpack("<Q", kind.whole[:8])[0] if kind.path.suffix == ".safetensors" else size
    return [rng.randrange(min(header, size) if draw % 2 else size) for draw in range(count)]


every_kind = pytest.mark.parametrize("name", KINDS)


@every_kind
def test_a_file_that_breaks_off_is_refused(kinds, name):
    kind = kinds[name]
    for length in {0, 1, 7, 8, 9, len(kind.whole) - 1, *places(kind, 12, seed=0)}:
        read = outcome(kind, kind.whole[:length])
        assert read is None or (name == "run:scores.safetensors" and "{} {}" in read)  # a run without its scores is a run


@every_kind
def test_a_flipped_bit_is_told_or_changes_nothing(kinds, name):
    """Of JSON alone it can change a letter or a digit and nobody can tell; the rest is under a checksum."""
    kind = kinds[name]
    rng = random.Random(1)
    for place in places(kind, 24, seed=2):
        damaged = bytearray(kind.whole)
        damaged[place] ^= 1 << rng.randrange(8)
        read = outcome(kind, bytes(damaged))
        if name not in {"shards:manifest.json", "run:result.json", "run:scores.safetensors", "shards:00001.safetensors"}:
            assert read in (None, kind.expected)


def test_damage_in_a_shard_or_in_scores_is_found_where_it_lies(kinds):
    shard = kinds["shards:00001.safetensors"]
    damaged = bytearray(shard.whole)
    damaged[-100] ^= 1
    assert outcome(shard, bytes(damaged)).endswith("[1]")  # the shard that is to be made again


FOREIGN = {
    "pickle": EVIL,
    "text": b"hello\n\x1b[31mred",
    "page": b"<!doctype html><html></html>",
    "array": b"[" * 200_000,
    "huge header": struct.pack("<Q", 2**63) + b"{}",
    "header of a gigabyte": struct.pack("<Q", 2**30) + b"{}",
    "nested header": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "no metadata": struct.pack("<Q", 2) + b"{}",
    "metadata that is none": struct.pack("<Q", 22) + b'{"__metadata__":[1,2]}',
    "a tensor of no bytes": struct.pack("<Q", 59) + b'{"weight":{"dtype":"F32","shape":[9],"data_offsets":[0,0]}}',
    "a tensor beyond all": struct.pack("<Q", 69) + b'{"weight":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,4]}}',
    "zip": b"PK\x03\x04" + b"\x00" * 100,
    "noise": random.Random(0).randbytes(3000),
}


@every_kind
def test_a_foreign_file_is_refused(kinds, name):
    for contents in FOREIGN.values():
        read = outcome(kinds[name], contents)
        assert read is None or (name == "run:scores.safetensors" and "{} {}" in read)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes by name here")
@pytest.mark.parametrize("name", [*STORED[:6], *(name for name in KINDS if name.startswith("shards:"))])
def test_a_pipe_is_not_waited_for_and_a_folder_is_no_file(kinds, name):
    kind = kinds[name]
    kind.path.unlink()
    for make in (os.mkfifo, os.mkdir):
        make(kind.path)
        with pytest.raises(OodkitError):
            kind.read()
        (os.rmdir if kind.path.is_dir() else os.unlink)(kind.path)


WORDS = st.sampled_from(ODD_WORDS)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_crafted_file_without_a_checksum_is_refused_or_can_be_used(kinds, data):
    """Whatever stands in it: loaded it scores, or says in one line why not."""
    kind = kinds[data.draw(st.sampled_from(STORED))]
    kind.path.unlink(missing_ok=True)
    kind.path.write_bytes(kind.whole)
    with safe_open(kind.path, "pt") as file:
        facts = {key: word for key, word in file.metadata().items() if key != "checksum"}
        tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
    for key in data.draw(st.lists(st.sampled_from(sorted({*tensors, *facts})), min_size=1, max_size=2, unique=True)):
        if key in tensors:
            spoilt = SPOILT[data.draw(st.sampled_from(sorted(SPOILT)))]
            tensors[key] = spoilt(tensors[key]).clone(memory_format=torch.contiguous_format)
        else:
            facts[key] = data.draw(WORDS)
    other = kind.path.with_name("crafted")
    save_file(tensors, other, facts)
    outcome(kind, other.read_bytes())


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(["key", "count", "shard_size", "batch_size", "about", "columns", "format", "more"]), word=WORDS)
def test_a_crafted_manifest_is_refused_or_can_be_used(kinds, key, word):
    kind = kinds["shards:manifest.json"]
    facts = {**json.loads(kind.whole), key: "@@"}
    outcome(kind, json.dumps(facts).replace('"@@"', word).encode())
