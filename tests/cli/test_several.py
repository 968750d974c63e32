"""Commands in several processes, as torchrun starts them: the first prints, and the outputs are those of one process."""

import json
from pathlib import Path

import pytest
import torch

from oodkit.cache import cache_entries
from oodkit.shards import read_shard

from ..training.in_two import in_two  # noqa: TID252 (tests are no package)

SETS = ("--id", "demo:digits", "--near", "unseen=demo:digits-unseen", "--far", "patches=demo:photo-patches")
SMALL = (*SETS, "--fit", "demo:digits:train", "--baseline", "none", "--limit", "600", "--workers", "0", "--device", "cpu")
DIAGNOSE = ("diagnose", "demo:digits-v2", *SMALL, "--scorer", "mls", "--scorer", "knn")


@pytest.fixture
def one_thread():
    """As each of the two has, so that sums are made in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_two_processes_diagnose_as_one_does_and_the_first_alone_prints(run, one_thread, tmp_path, monkeypatch):
    alone = run(*DIAGNOSE, "-o", "one")
    monkeypatch.setenv("OODKIT_CACHE", "shared")
    first, second = in_two("-m", "oodkit", *DIAGNOSE, "-o", "two")
    assert (first[0], second) == (0, (0, "", "")), first
    assert first[1] == alone.out
    ours, theirs = (cache_entries(tmp_path / name) for name in ("cache", "shared"))
    assert [one.key for one in ours] == [one.key for one in theirs]
    for one, other in zip(ours, theirs, strict=True):
        for shard in range(one.manifest.num_shards):
            (mine, _), (its, _) = read_shard(one.folder, shard), read_shard(other.folder, shard)
            assert all(torch.equal(mine[name], its[name]) for name in mine)
    documents = [json.loads(Path(name, "result.json").read_text("utf-8")) for name in ("one", "two")]
    assert [name for name in documents[0] if documents[0][name] != documents[1][name]] == ["created", "command"]


def test_of_two_that_augdelete_the_first_alone_writes(run, monkeypatch):
    refit = ("augdelete", "demo:digits-v2", *SMALL, "--scorer", "mls", "--views", "1", "-q")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert run(*refit, "-o", "second") == (0, "", "")
    assert not Path("second").exists()
    monkeypatch.setenv("RANK", "0")
    ran = run(*refit, "-o", "first")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == ["first/result.json", "first/head.safetensors", "first/detector.safetensors"]


@pytest.mark.parametrize(
    "words",
    [("score", "d", "i"), ("demo",), ("list", "scorers"), ("synth", "quality", "--real", "a", "--synthetic", "b")],
)
def test_what_is_no_work_for_several_says_so_once(run, monkeypatch, words):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    name = "synth quality" if words[0] == "synth" else words[0]
    told = f"error: oodkit {name} is the work of one process, and this is one of 2: start it by itself, without torchrun"
    ran = run(*words)
    assert (ran.code, ran.out, ran.err.startswith(told)) == (2, "", True), ran.err
    monkeypatch.setenv("RANK", "1")
    assert run(*words) == (2, "", "")


@pytest.mark.parametrize(
    "words",
    [
        ("diagnose", "demo:digits-v2", "--id", "nowhere", "--near", "a=nowhere"),
        ("augdelete", "nowhere/weights.pth", "--train", "demo:digits:train", "--id", "demo:digits:test"),
        ("augdelete", "demo:digits-v2", "--train", "demo:digits:train", "-o", "/dev/null/x"),
        ("augdelete", "demo:digits-v2", "--train", "demo:digits:train", "--alpha", "2"),
        ("ablate", "test_resnet", "--recipes", "mixup", "--data", "nowhere", "--id", "demo:digits", "--near", "a=demo:digits"),
        ("ablate", "test_resnet", "--recipes", "mixup", "--data", "demo:digits:train"),
    ],
    ids=["no images", "no model", "nowhere to write", "no share", "no training images", "no work for several"],
)
def test_an_error_that_all_find_is_told_once(run, monkeypatch, words):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    ran = run(*words)
    assert (ran.code > 0, ran.out, ran.err.count("\n")) == (True, "", 1)
    monkeypatch.setenv("RANK", "1")
    assert run(*words) == (ran.code, "", "")


def test_a_number_of_processes_that_is_none_is_one_line(run, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "two")
    ran = run("list", "scorers")
    told = "error: the environment variable WORLD_SIZE is 'two', expected a number as torchrun sets it; unset it\n"
    assert (ran.code, ran.err) == (2, told)
