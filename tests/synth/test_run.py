"""A synthesis is the same folder, file for file, in whatever batches, processes and pieces it is made."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import oodkit
from oodkit.errors import GeneratorError, OodkitError, UnreadableImageError, UsageError
from oodkit.images.decode import decode
from oodkit.synth.base import Request
from oodkit.synth.run import carry_out, plan_synthesis, synthesize

from .killed_often import contents
from .stand_in import CLASSES, Looks, StandIn, labelling

EACH = {"per_class": 5, "batch_size": 4}


def manifest(folder: Path, name: str = "manifest.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def run(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())


def images(folder: Path) -> dict[str, bytes]:
    return {name: file for name, file in contents(folder).items() if name.endswith((".png", ".jpg"))}


class Stopping(StandIn):
    """Stops in the place of its n-th batch, as an interrupt, a crash or its own fault would stop it."""

    def __init__(self, after: int, error: BaseException) -> None:
        super().__init__()
        self.after, self.error = after, error

    def generate(self, requests: Sequence[Request]) -> torch.Tensor:
        if len(self.asked) == self.after:
            raise self.error
        return super().generate(requests)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "made"
    synthesize(StandIn(), folder, **EACH)
    return folder


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


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no more"), torch.OutOfMemoryError("CUDA out of memory")])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_was_stopped_goes_on_and_makes_nothing_twice(whole: Path, tmp_path: Path, after: int, error: BaseException) -> None:
    with pytest.raises((KeyboardInterrupt, GeneratorError, OodkitError)):
        synthesize(Stopping(after, error), tmp_path / "made", **EACH)
    assert len(images(tmp_path / "made")) == 4 * after
    generator = StandIn()
    synthesize(generator, tmp_path / "made", **EACH)
    assert [len(one) for one in generator.asked] == [4, 4, 4, 3][after:]
    assert contents(tmp_path / "made") == contents(whole)


def test_what_goes_on_keeps_the_batch_size_that_it_began_with(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        synthesize(Stopping(1, KeyboardInterrupt()), tmp_path / "made", **EACH)
    generator = StandIn(batch_size=9)
    synthesize(generator, tmp_path / "made", per_class=5)
    assert [len(one) for one in generator.asked] == [4, 4, 3]
    assert contents(tmp_path / "made") == contents(whole)


def test_another_batch_size_is_noted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        synthesize(Stopping(1, KeyboardInterrupt()), tmp_path / "made", **EACH)
    synthesize(StandIn(), tmp_path / "made", per_class=5, batch_size=3)
    assert run(tmp_path / "made")["notes"] == ["made in batches of 4 and of 3, which can tell in an image's last bits"]


def test_where_images_of_a_batch_depend_on_each_other_the_note_says_more(tmp_path: Path) -> None:
    stopping = Stopping(1, KeyboardInterrupt())
    for generator in (stopping, again := StandIn()):
        generator.seed_scope = "batch"
    with pytest.raises(KeyboardInterrupt):
        synthesize(stopping, tmp_path / "made", **EACH)
    synthesize(again, tmp_path / "made", per_class=5, batch_size=3)
    assert run(tmp_path / "made")["notes"] == ["made in batches of 4 and of 3, in which images are others"]


def test_a_batch_of_which_one_image_is_missing_is_made_whole_and_the_rest_of_it_stays(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        synthesize(Stopping(2, KeyboardInterrupt()), tmp_path / "made", **EACH)
    one, other = sorted((tmp_path / "made").rglob("*.png"))[:2]
    one.unlink()
    kept = other.stat().st_mtime_ns
    generator = StandIn()
    synthesize(generator, tmp_path / "made", **EACH)
    assert [len(one) for one in generator.asked] == [4, 4, 3]
    assert other.stat().st_mtime_ns == kept
    assert contents(tmp_path / "made") == contents(whole)


def test_the_same_again_makes_nothing_and_more_adds_to_it(whole: Path, tmp_path: Path) -> None:
    synthesize(StandIn(), tmp_path / "made", per_class=3, batch_size=4)
    generator, before = StandIn(), (tmp_path / "made" / "run.json").read_bytes()
    synthesize(generator, tmp_path / "made", per_class=3)
    assert not generator.asked
    assert (tmp_path / "made" / "run.json").read_bytes() == before
    synthesize(generator, tmp_path / "made", **EACH)
    assert [len(one) for one in generator.asked] == [4, 3]  # 9 are there: the third batch has the last of them, and 3 that are new
    assert contents(tmp_path / "made") == contents(whole)
    with pytest.raises(UsageError, match="holds another synthesis: per class 5 there, 3 here; ask for the same again, or for more"):
        synthesize(generator, tmp_path / "made", per_class=3)


def test_the_progress_counts_what_is_there_and_to_be_made(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        synthesize(Stopping(1, KeyboardInterrupt()), tmp_path / "made", **EACH)
    told: list[tuple[int, int | None, str]] = []
    synthesize(StandIn(), tmp_path / "made", **EACH, progress=lambda *one: told.append(one))
    assert told == [(done, 15, "") for done in range(4, 16)]


@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_a_process_killed_at_any_touch_of_a_file_leaves_what_the_same_command_ends_alike(tmp_path: Path, every: int) -> None:
    script = Path(__file__).with_name("killed_often.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path, str(every)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert [line.partition(" ")[0] for line in told] == ["conditional", "with_quota"]
    assert all("kills=" in line and "kills=0" not in line and line.endswith("different=[]") for line in told), told


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, left = os.fsync, iter(range(7))

    def filling(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", filling)
    with pytest.raises(OodkitError, match=r"No space left on device; .*; the same command then goes on"):
        synthesize(StandIn(), tmp_path / "made", **EACH)
    monkeypatch.undo()
    assert not list((tmp_path / "made").rglob("*.tmp"))
    synthesize(StandIn(), tmp_path / "made", **EACH)
    assert contents(tmp_path / "made") == contents(whole)


def test_images_without_classes_get_them_from_a_classifier(tmp_path: Path) -> None:
    with labelling():
        found = synthesize(StandIn(conditional=False), tmp_path / "made", count=20, label_with=Looks(), min_confidence=0.3)
    kept, dropped = manifest(tmp_path / "made"), manifest(tmp_path / "made", "dropped.jsonl")
    assert len(kept) + len(dropped) == 20
    assert sorted(one["index"] for one in kept + dropped) == list(range(20))
    assert [(one["label"], one["index"]) for one in kept] == sorted((one["label"], one["index"]) for one in kept)
    for one in kept + dropped:
        assert one["class"] == CLASSES[one["seed"] % 3].folder
        assert (one["labelled_by"], one["predicted"]) == ("looks", one["class"])
        assert ("dropped" in one) == (one["confidence"] < 0.3)
    assert {one["dropped"] for one in dropped} == {"unsure"}
    assert all(one["file"] is None for one in dropped)
    assert len(found) == len(kept) == run(tmp_path / "made")["counts"]["kept"]
    assert run(tmp_path / "made")["counts"]["dropped"] == {"unsure": len(dropped)}


def test_a_real_classifier_gives_digits_the_labels_that_they_have(demo: Any, tmp_path: Path) -> None:
    model, sets, _ = demo

    class Digits(StandIn):
        def image(self, request: Request) -> torch.Tensor:
            return torch.from_numpy(np.array(sets["val"].load(request.index))).permute(2, 0, 1)

    found = synthesize(Digits(conditional=False, size=32), tmp_path / "made", count=48, label_with=model, device="cpu")
    kept = manifest(tmp_path / "made")
    true = [sets["val"].class_names[sets["val"].labels[one["index"]]] for one in kept]
    assert len(found) == 48
    assert sum(one["class"] == name for one, name in zip(kept, true, strict=True)) >= 44
    assert {one["labelled_by"] for one in kept} == {model.name}
    assert all(1 / model.num_classes <= one["confidence"] <= 1 for one in kept)


def test_what_a_classifier_takes_an_image_for_is_a_class_folder_and_labels_stay_the_generator_s(tmp_path: Path) -> None:
    with labelling():
        synthesize(StandIn(classes=CLASSES[::-1]), tmp_path / "made", per_class=2, label_with=Looks(), say=lambda _: None)
    assert {(one["class"], one["label"], one["predicted"]) for one in manifest(tmp_path / "made")} == {
        (of.folder, of.label, of.folder) for of in CLASSES
    }
    note = run(tmp_path / "made")["notes"][0]
    assert note.startswith("the labels are the generator's, and what the classifier says stands in manifest.jsonl alone: --keep-ag")


def test_a_want_of_memory_outside_the_generator_is_one_line_and_the_same_command_goes_on(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("oodkit.synth.storing.Form.resized", full)
    with pytest.raises(
        OodkitError, match=r"the memory does not suffice to store .*; give a smaller --size or --batch-size, and the"
    ):
        synthesize(StandIn(), tmp_path / "made", **EACH)
    monkeypatch.undo()
    synthesize(StandIn(), tmp_path / "made", **EACH)
    assert contents(tmp_path / "made") == contents(whole)


def test_of_a_quota_the_first_of_each_class_are_kept(tmp_path: Path) -> None:
    with labelling():
        for name, more in (("all", {}), ("few", {"per_class": 3})):
            synthesize(StandIn(conditional=False), tmp_path / name, count=30, label_with=Looks(), **more)
    every, few = manifest(tmp_path / "all"), manifest(tmp_path / "few")
    expected = [one for of in CLASSES for one in [line for line in every if line["class"] == of.folder][:3]]
    assert few == expected
    assert set(images(tmp_path / "few")) == {one["file"] for one in expected}
    assert run(tmp_path / "few")["counts"]["dropped"] == {"over the quota": 21}


def test_what_a_classifier_takes_for_another_class_is_dropped_and_counted_by_class(tmp_path: Path) -> None:
    mistaken = tuple(CLASSES[at].__class__(CLASSES[at].folder, CLASSES[at].name, label=label) for at, label in enumerate((0, 0, 2)))
    with labelling():
        synthesize(
            StandIn(classes=mistaken), tmp_path / "made", classes=mistaken, per_class=4, label_with=Looks(), keep_agreeing=True
        )
    assert run(tmp_path / "made")["counts"]["dropped"] == {"disagreed": 12 - len(manifest(tmp_path / "made"))}
    assert run(tmp_path / "made")["counts"]["per_class"]["n02"] == {"kept": 0, "dropped": 4}
    assert not (tmp_path / "made" / "n02").exists()


def test_where_no_image_is_kept_it_says_so(tmp_path: Path) -> None:
    with (
        labelling(),
        pytest.raises(OodkitError, match=r"no image was kept in .*made \(4 unsure\); ask for a lower --min-confidence"),
    ):
        synthesize(StandIn(conditional=False), tmp_path / "made", count=4, label_with=Looks(), min_confidence=1.0)


def test_without_classes_and_labels_images_lie_side_by_side(tmp_path: Path) -> None:
    found = synthesize(StandIn(conditional=False), tmp_path / "made", count=5)
    assert found.labels.tolist() == [-1] * 5
    assert [(one["class"], one["labelled_by"], one["file"]) for one in manifest(tmp_path / "made")] == [
        (None, None, f"{one['seed']}.png") for one in manifest(tmp_path / "made")
    ]


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
