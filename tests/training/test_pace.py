"""The time that an epoch takes, in which that before a stop counts, and that between a stop and going on does not."""

import os
import signal

import pytest

from oodkit.tensor_file import load_stored
from oodkit.training import pace as module
from oodkit.training.folder import LAST
from oodkit.training.log import read_epochs
from oodkit.training.pace import Pace

from .toy_run import STEPS, train


@pytest.fixture
def clock(monkeypatch):
    """Seconds; it moves by a millionth each time that it is looked at, and else as it is set."""
    seconds = [1000.0]

    def now():
        seconds[0] += 1e-6
        return seconds[0]

    monkeypatch.setattr(module.time, "perf_counter", now)
    return seconds


def test_images_a_second_since_the_epoch_began(clock):
    pace = Pace()
    clock[0] += 4
    assert pace.facts(20) == {"images_per_second": pytest.approx(5), "seconds": pytest.approx(4)}
    pace.restart()
    clock[0] += 2
    assert pace.facts(20)["images_per_second"] == pytest.approx(10)


def test_an_epoch_that_was_stopped_took_what_it_took_before_and_after(clock, tmp_path):
    """A second a step, counted when the next one begins; an hour lies between the stop, in the second epoch, and going on."""

    def a_second(reached):
        clock[0] += 1

    def stop_in_the_second_epoch(reached):
        clock[0] += 1
        if reached.step == STEPS + 3:
            os.kill(os.getpid(), signal.SIGTERM)

    train(tmp_path / "whole", progress=a_second)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", progress=stop_in_the_second_epoch)
    clock[0] += 3600
    train(tmp_path / "stopped", progress=a_second)
    whole, stopped = ([line["seconds"] for line in read_epochs(tmp_path / name)] for name in ("whole", "stopped"))
    assert whole == pytest.approx([STEPS - 1, STEPS, STEPS], abs=1e-3)
    assert stopped == pytest.approx(whole, abs=1e-3)
    speeds = [line["images_per_second"] for line in read_epochs(tmp_path / "stopped")]
    assert speeds[1:] == pytest.approx([6, 6], rel=1e-3)
    words = [load_stored(tmp_path / name / LAST, "a checkpoint")[1] for name in ("whole", "stopped")]
    assert words[0] == words[1], "equal trainings end in equal bits, whatever the time that they took"
