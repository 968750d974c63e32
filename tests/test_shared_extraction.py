"""Several processes share the shards: dealt by rank, taken over where one lags or dies, and the same bits as from one."""

from itertools import count

import pytest
import torch

from oodkit import extraction_plan
from oodkit.cache import cache_entries
from oodkit.extraction import extract, extract_own_share
from oodkit.forward import Runner
from oodkit.images import open_images
from oodkit.shards import read_shard


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(extraction_plan, "SHARD_SIZE", 5)


@pytest.fixture
def images(image_folder):
    return open_images(str(image_folder()))


@pytest.fixture
def process(monkeypatch):
    """Makes this process one of several."""

    def become(rank, world):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", str(world))

    return become


@pytest.fixture
def count_images(monkeypatch):
    """How many images went through a network, batch by batch."""
    seen, run = [], Runner.run
    monkeypatch.setattr(Runner, "run", lambda self, pixels: seen.append(len(pixels)) or run(self, pixels))
    return seen


def shards_in(folder):
    (entry,) = cache_entries(folder)
    return {shard for shard in range(3) if (entry.folder / f"{shard:05}.safetensors").exists()}


def same(first, second):
    return all(torch.equal(getattr(first, name), getattr(second, name)) for name in ("features", "logits", "labels", "indices"))


@pytest.mark.parametrize("world", [2, 3, 4])
def test_each_process_makes_its_own_shards_and_together_they_are_all(tiny_model, images, tmp_path, process, count_images, world):
    alone = extract(tiny_model, images, cache=tmp_path / "alone")
    del count_images[:]
    made = set()
    for rank in range(world):
        process(rank, world)
        extract_own_share(tiny_model, images, cache=tmp_path / "shared")
        assert shards_in(tmp_path / "shared") >= made
        made = shards_in(tmp_path / "shared")
    assert made == {0, 1, 2}
    assert sum(count_images) == 12, "no image went through the network twice"
    assert same(extract(tiny_model, images, cache=tmp_path / "shared"), alone)
    assert sum(count_images) == 12


def test_sets_of_one_shard_do_not_all_fall_to_one_process(tiny_model, image_folder, tmp_path, process):
    process(0, 2)
    own = 0
    for number in range(12):
        images = open_images(str(image_folder(f"set{number}", classes=("cat",), each=2)))
        extract_own_share(tiny_model, images, cache=tmp_path / str(number))
        (entry,) = cache_entries(tmp_path / str(number))
        own += not entry.missing
    assert 0 < own < 12


def test_what_a_process_that_died_has_left_another_makes(tiny_model, images, tmp_path, process):
    alone = extract(tiny_model, images, cache=tmp_path / "alone")
    process(1, 2)
    assert same(extract(tiny_model, images, cache=tmp_path / "shared"), alone)


@pytest.mark.parametrize("world", [1, 3])
def test_a_run_of_two_processes_goes_on_in_any_number(tiny_model, images, tmp_path, process, count_images, world):
    alone = extract(tiny_model, images, cache=tmp_path / "alone")
    process(0, 2)
    extract_own_share(tiny_model, images, cache=tmp_path / "shared")
    left = 3 - len(shards_in(tmp_path / "shared"))
    assert 0 < left < 3
    del count_images[:]
    for rank in range(world):
        process(rank, world)
        assert same(extract(tiny_model, images, cache=tmp_path / "shared"), alone)
    assert sum(count_images) <= 5 * left


def test_a_shard_that_another_process_ends_first_is_left_to_it(tiny_model, images, tmp_path, process, monkeypatch):
    """The other one works while this one is in the middle of the very shard."""
    extract(tiny_model, images, cache=tmp_path / "elsewhere", workers=0, batch_size=2)
    (made,) = cache_entries(tmp_path / "elsewhere")
    here = tmp_path / "here" / made.key
    process(0, 2)
    run, calls = Runner.run, count()

    def and_the_other_one_ends(self, pixels):
        if next(calls) == 1:
            for shard in made.folder.glob("0*.safetensors"):
                shard.rename(here / shard.name)
        return run(self, pixels)

    monkeypatch.setattr(Runner, "run", and_the_other_one_ends)
    outputs = extract(tiny_model, images, cache=tmp_path / "here", workers=0, batch_size=2)
    assert len(outputs) == 12
    assert next(calls) == 2, "the network runs no further"


def test_a_damaged_shard_is_nobodys(tiny_model, images, tmp_path, process):
    alone = extract(tiny_model, images, cache=tmp_path)
    logits = alone.logits.clone()
    (entry,) = cache_entries(tmp_path)
    (entry.folder / "00001.safetensors").write_bytes(b"not a shard")
    process(0, 2)
    assert torch.equal(extract(tiny_model, images, cache=tmp_path).logits, logits)
    read_shard(entry.folder, 1, verify=True)


def test_processes_on_one_machine_share_its_cores(monkeypatch):
    from oodkit import processes

    monkeypatch.setattr(processes, "usable_cores", lambda: 12)
    found = []
    for together in (1, 2, 4, 100):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(together))
        found.append(processes.default_workers())
    assert found == [8, 6, 3, 1]
