"""A synthesis that was stopped, however, goes on to the same folder, file for file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from oodkit.errors import GeneratorError, OodkitError, UsageError
from oodkit.synth.run import synthesize

from .killed_often import contents
from .made_folder import EACH, images, run
from .stand_in import StandIn, Stopping


@pytest.mark.parametrize(
    ("error", "told", "message"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (RuntimeError("no more"), GeneratorError, "failed with RuntimeError: no more"),
        (
            torch.OutOfMemoryError("CUDA out of memory"),
            OodkitError,
            "did not fit in the memory; give a smaller --batch-size",
        ),
    ],
    ids=["interrupt", "fault", "memory"],
)
@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_was_stopped_goes_on_and_makes_nothing_twice(
    whole: Path, tmp_path: Path, after: int, error: BaseException, told: type[BaseException], message: str | None
) -> None:
    with pytest.raises(told, match=message):
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
