"""Files of oodkit's own formats may be cut off, damaged or crafted: one line says so, or they are read; no code runs."""

import json
import os
import random
import shutil
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from oodkit.calibration import Calibration
from oodkit.classifier import Classifier
from oodkit.detector import Detector
from oodkit.errors import OodkitError
from oodkit.head import Head
from oodkit.outputs import Outputs, Skipped
from oodkit.report.runs import load_run
from oodkit.scorers import SCORERS, load_scorer, make_scorer
from oodkit.shards import HEAD_FILE, Manifest, open_outputs, write_manifest, write_shard

from .conftest import TinyNet, tiny_transform

GOLDEN = Path(__file__).parent / "report" / "golden"
DETECTED = ("mls", "knn", "vim")


def tiny() -> Classifier:
    net = TinyNet().eval()
    head = Head(net.head.weight.detach(), net.head.bias.detach(), ("head",))
    return Classifier("tiny", net, tiny_transform, head, (3, 8, 8), {"input_size": [3, 8, 8]})


MODEL = tiny()


def images(rows: int = 60) -> Outputs:
    features = torch.rand(rows, 6, generator=torch.Generator().manual_seed(1))
    found = {scorer().probe(): scorer.uses for scorer in SCORERS.values() if scorer().probe()}
    logits = MODEL.head(features)
    extras = {probe: logits if uses == "logits" else features / 2 for probe, uses in found.items()}
    outputs = Outputs(features, torch.arange(rows) % 3, head=MODEL.head, extras=extras)
    return outputs.with_labels(outputs.predictions())


class Kind:
    """One kind of file: it lies at ``path``, and ``read`` gives what can be had of it, as text."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.path = name, folder / name.replace(":", "-") / "it.safetensors"
        self.path.parent.mkdir()
        kind, _, self.scorer = name.partition(":")
        self.read = getattr(self, f"_{kind}")
        getattr(self, f"_make_{kind}")()
        self.whole = self.path.read_bytes()
        self.expected = self.read()

    def _make_head(self) -> None:
        names = self.scorer.split("+")
        shapes = {f"{name}.{one}": shape for name in names for one, shape in (("weight", (3, 6 // len(names))), ("bias", (3,)))}
        Head(torch.rand(3, 6), torch.rand(3), tuple(names), shapes=shapes).save(self.path, {"source": "a net"})

    def _head(self) -> str:
        head = Head.load(self.path)
        return f"{head} {head.weight.tolist()} {head(torch.ones(1, head.num_features))}"

    def _make_scorer(self) -> None:
        self.fitted().save(self.path)

    def fitted(self):
        return make_scorer(self.scorer).fit(images())

    def _scorer(self) -> str:
        scorer = load_scorer(self.path)
        return f"{scorer} {scorer.settings()} {scorer.score(images()).tolist()} {scorer.caution(images())}"

    def _make_detector(self) -> None:
        scorer = self.fitted()
        Detector(MODEL, scorer, Calibration(scorer.score(images()).numpy(), 0.1)).save(self.path)

    def _detector(self) -> str:
        detector = Detector.load(self.path, model=MODEL)
        found = detector(torch.ones(2, 3, 8, 8))
        return f"{found} {detector.calibration.scores.tolist()} {detector.scorer.settings()}"

    def _make_shards(self) -> None:
        folder = self.path.parent
        MODEL.head.save(folder / HEAD_FILE)
        write_manifest(folder, Manifest("key", 20, 10, 4))
        outputs = images(20)
        for shard, rows in enumerate((torch.arange(10), torch.arange(11, 20))):
            part = outputs.subset(rows)
            columns = {name: getattr(part, name) for name in ("features", "logits", "labels", "indices")}
            write_shard(folder, shard, columns, [Skipped(10, "a.png", "broken")] if shard else [])
        self.path = folder / self.scorer

    def _shards(self) -> str:
        from oodkit.shards import missing_shards, read_manifest

        outputs = open_outputs(self.path.parent)
        scores = make_scorer("mls").score(outputs).tolist()
        manifest = read_manifest(self.path.parent)
        return f"{scores} {outputs.skipped} {outputs.labels} {manifest and missing_shards(self.path.parent, manifest)}"

    def _make_run(self) -> None:
        shutil.copytree(GOLDEN, self.path.parent, dirs_exist_ok=True)
        self.path = self.path.parent / self.scorer

    def _run(self) -> str:
        run = load_run(self.path.parent)
        scores = {(model, name): [*by_set.values()] for model, found in run.scores.items() for name, by_set in found.items()}
        return f"{run.document} {scores} {run.correct}"


STORED = ["head:fc", "head:a+b", *(f"detector:{name}" for name in DETECTED), *(f"scorer:{name}" for name in SCORERS)]
KINDS = [
    *STORED,
    "shards:00001.safetensors",
    "shards:manifest.json",
    f"shards:{HEAD_FILE}",
    "run:result.json",
    "run:scores.safetensors",
]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    return {name: Kind(folder, name) for name in KINDS}


def outcome(kind: Kind, contents: bytes) -> str | None:
    """What is read of the file with other contents, or None where it is refused, in one short line that no terminal obeys."""
    kind.path.unlink(missing_ok=True)  # and not written into, as it may be memory-mapped
    kind.path.write_bytes(contents)
    try:
        return kind.read()
    except OodkitError as error:
        line = str(error).replace(str(kind.path.parent), "")
        assert line.isprintable(), line
        assert len(line) < 700, line
        return None


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


EVIL = b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x05false\x94\x85\x94R\x94."
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
@pytest.mark.parametrize("name", STORED[:6])
def test_a_pipe_is_not_waited_for_and_a_folder_is_no_file(kinds, name):
    kind = kinds[name]
    kind.path.unlink()
    for make in (os.mkfifo, os.mkdir):
        make(kind.path)
        with pytest.raises(OodkitError):
            kind.read()
        (os.rmdir if kind.path.is_dir() else os.unlink)(kind.path)


WORDS = st.one_of(
    st.sampled_from(
        [None, True, 0, -1, 1, 3, 6, 10**6, 2**63, 10**30, 1e308, "", "fc", "bank", "\x1b[31m\n", "\ud800", "x" * 9999]
    ),
    st.sampled_from([[], {}, [[]], [1, 2], ["bank"], ["weight"], [10**6, 10**6], [6, 3], [-1, -1], [None], {"k": 1}, {"k": [{}]}]),
).map(json.dumps) | st.sampled_from(["", "{", "nul", "NaN", "[Infinity, 3]", "[" * 50_000, "1" * 5000, '{"k": 1e999}'])
DTYPES = (torch.float16, torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn)
SPOILT = {
    "nothing": lambda tensor: torch.zeros(0),
    "a number": lambda tensor: torch.tensor(7.0),
    "less": lambda tensor: tensor.flatten()[:2],
    "fewer rows": lambda tensor: tensor[1:] if tensor.ndim else tensor,
    "fewer columns": lambda tensor: tensor[:, 1:] if tensor.ndim > 1 else tensor,
    "turned": lambda tensor: tensor.mT if tensor.ndim > 1 else tensor,
    "one more": lambda tensor: tensor[None],
    "NaN": lambda tensor: tensor * torch.nan,
    "infinite": lambda tensor: tensor.double() + torch.inf,
    "below zero": lambda tensor: -tensor - 1,
    "large": lambda tensor: tensor * 1_000_000,
    **{str(dtype): lambda tensor, dtype=dtype: tensor.to(dtype) for dtype in DTYPES},
}


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
