"""A synthesis is the same folder, file for file, in whatever batches and processes it is made."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oodkit
from oodkit.errors import UnreadableImageError, UsageError
from oodkit.images.decode import decode
from oodkit.synth.base import Request
from oodkit.synth.run import carry_out, plan_synthesis, synthesize

from .killed_often import contents
from .made_folder import EACH, images, manifest, run
from .stand_in import CLASSES, StandIn


def test_the_folder_holds_an_image_for_each_class_and_index_in_its_own_seed(whole: Path) -> None:
    lines = manifest(whole)
    assert [(one["class"], one["index"]) for one in lines] == [(of.folder, index) for of in CLASSES for index in range(5)]
    for line in lines:
        request = Request(CLASSES[line["label"]], line["index"], line["seed"])
        assert line["file"] == f"{line['class']}/{line['seed']}.png"
        assert np.array_equal(np.asarray(decode(whole / line["file"])), StandIn().image(request).permute(1, 2, 0).numpy())
    assert set(contents(whole)) == {"manifest.jsonl", *(line["file"] for line in lines)}


def test_a_line_says_all_that_is_known_of_its_image(whole: Path) -> None:
    line = manifest(whole)[6]
    assert line | {"seed": 0, "file": ""} == {
        "file": "",
        "class": "n02",
        "name": "owl",
        "label": 1,
        "index": 1,
        "seed": 0,
        "seed_scope": "image",
        "prompt": "a photo of a owl",
        "labelled_by": "generator",
        "confidence": None,
        "predicted": None,
        "batch": 1,  # the fifth of all images, in batches of four
    }


def test_the_run_says_what_was_asked_for_and_what_came_of_it(whole: Path) -> None:
    document = run(whole)
    assert document["kind"] == "synthesis"
    assert (document["status"], document["batch_size"], document["asked"]["per_class"]) == ("finished", 4, 5)
    assert document["generator"]["licence"] == "CC0"
    assert document["generator"]["facts"] == {"revision": "1"}
    assert document["counts"] == {
        "made": 15,
        "kept": 15,
        "dropped": {},
        "per_class": {of.folder: {"kept": 5, "dropped": 0} for of in CLASSES},
    }
    assert document["images_per_second"] == pytest.approx(15 / document["seconds"], rel=0.5)


def test_it_opens_as_an_image_set_with_the_classes_as_labels(whole: Path) -> None:
    found = oodkit.open_images(whole)
    assert (len(found), found.class_names, np.bincount(found.labels).tolist()) == (15, ("cat", "n02", "x_y"), [5, 5, 5])


@pytest.mark.parametrize("batch_size", [1, 3, 8, "auto"])
def test_any_batch_size_makes_the_same_images(whole: Path, tmp_path: Path, batch_size: int) -> None:
    synthesize(StandIn(), tmp_path / "made", per_class=5, batch_size=batch_size)
    assert images(tmp_path / "made") == images(whole)


@pytest.mark.parametrize("world", [2, 3])
def test_processes_that_know_nothing_of_each_other_make_the_same_folder(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: int
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(world))
    statuses, made = [], []
    for rank in reversed(range(world)):
        monkeypatch.setenv("RANK", str(rank))
        generator = StandIn()
        statuses.append(carry_out(plan_synthesis(generator, **EACH), tmp_path / "made")["status"])
        made.append(sum(map(len, generator.asked)))
    assert statuses == ["unfinished"] * (world - 1) + ["finished"]
    assert sum(made) == 15
    assert max(made) < 15
    assert contents(tmp_path / "made") == contents(whole)


def test_a_process_without_a_share_opens_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "9")
    for rank, there in (("8", 0), ("0", 4)):
        monkeypatch.setenv("RANK", rank)
        assert len(synthesize(StandIn(), tmp_path / "made", **EACH)) == there


def test_processes_at_once_make_the_same_folder(whole: Path, tmp_path: Path) -> None:
    script = "import sys; from stand_in import StandIn; from oodkit.synth.run import synthesize\n"
    script += "synthesize(StandIn(), sys.argv[1], per_class=5, batch_size=4)"
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "made")],
            cwd=Path(__file__).parent,
            env={**os.environ, "WORLD_SIZE": "2", "RANK": str(rank), "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]
    assert [one.wait() for one in begun] == [0, 0]
    assert run(tmp_path / "made")["status"] == "finished"
    assert contents(tmp_path / "made") == contents(whole)


def test_an_image_that_can_t_be_had_is_told_and_the_others_are_made(tmp_path: Path) -> None:
    class Broken(StandIn):
        def generate(self, requests: Sequence[Request]) -> Any:
            return [UnreadableImageError("torn\n") if one.index == 1 else self.image(one) for one in requests]

    assert len(synthesize(Broken(), tmp_path / "made", per_class=3)) == 6
    assert [
        (one["class"], one["index"], one["dropped"], one["detail"]) for one in manifest(tmp_path / "made", "dropped.jsonl")
    ] == [(of.folder, 1, "unreadable", "torn\\n") for of in CLASSES]


def test_jpeg_and_a_size_are_as_asked_for(tmp_path: Path) -> None:
    synthesize(StandIn(), tmp_path / "made", per_class=1, size=5, save_format="jpeg")
    files = sorted((tmp_path / "made").rglob("*.jpg"))
    assert [decode(one).size for one in files] == [(5, 5)] * 3
    assert not list((tmp_path / "made").rglob("*.png"))


def test_a_generator_that_is_made_takes_no_arguments(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="truncation: no arguments of synthesize, and the generator is made already"):
        synthesize(StandIn(), tmp_path / "made", truncation=0.5)
    assert not (tmp_path / "made").exists()
