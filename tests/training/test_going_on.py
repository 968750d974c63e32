"""A training that is stopped, by an error or a signal, goes on to equal weights and to the log of one that was not."""

import os
import signal
import threading
from itertools import islice

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from oodkit.errors import OodkitError
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.interruption import leave_signals_to_parent
from oodkit.training.log import read_log
from oodkit.training.loop import Validated

from .toy_run import (
    ADAMW,
    EPOCHS,
    SGD,
    STEPS,
    assert_equal,
    failing_at,
    remembering,
    saved,
    signalling_after,
    state_of,
    toy_batch,
    toy_batches,
    toy_learner,
    train,
)

TOTAL = STEPS * EPOCHS


def ending_after(steps, error):
    def batches(start, stop):
        yield from islice(toy_batches(start, stop), max(0, steps - start))
        raise error

    return batches


@pytest.fixture(scope="module", params=[SGD, ADAMW], ids=["sgd", "adamw, ema, warm-up"])
def uninterrupted(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    learner = train(folder, request.param)
    return request.param, state_of(learner), saved(folder)


@pytest.mark.parametrize("step", [1, 3, STEPS, STEPS + 1, 2 * STEPS, TOTAL - 1, TOTAL])
def test_an_error_within_a_step_costs_no_more_than_the_epoch_and_the_end_is_the_same(uninterrupted, tmp_path, step):
    settings, weights, checkpoint = uninterrupted
    with pytest.raises(ValueError, match="in the middle"):
        train(tmp_path, settings, learner=toy_learner(failing_at(step, ValueError("in the middle"))))
    assert Checkpoints(tmp_path).step() == ((step - 1) // STEPS * STEPS or None)
    assert_equal(state_of(train(tmp_path, settings)), weights)
    assert_equal(saved(tmp_path), checkpoint)


@pytest.mark.parametrize("step", [0, 1, 4, STEPS, STEPS + 2, TOTAL - 1])
def test_where_no_batch_is_had_what_is_done_is_saved_and_the_end_is_the_same(uninterrupted, tmp_path, step):
    settings, weights, checkpoint = uninterrupted
    with pytest.raises(OodkitError, match="a worker died"):
        train(tmp_path, settings, batches=ending_after(step, OodkitError("a worker died")))
    assert Checkpoints(tmp_path).step() == step
    assert_equal(state_of(train(tmp_path, settings)), weights)
    assert_equal(saved(tmp_path), checkpoint)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", [1, STEPS + 3, 2 * STEPS, TOTAL])
def test_a_signal_ends_it_after_the_step_saves_and_says_so(uninterrupted, tmp_path, step, number):
    settings, weights, checkpoint = uninterrupted
    handler = signal.getsignal(number)
    epoch = (step - 1) // STEPS + 1
    text = rf"interrupted after step {step} \(epoch {epoch}\) of 15: saved in .*; the same command goes on from there$"
    with pytest.raises(KeyboardInterrupt, match=text):
        train(tmp_path, settings, progress=signalling_after(step, number))
    assert signal.getsignal(number) is handler
    assert Checkpoints(tmp_path).step() == step
    assert_equal(state_of(train(tmp_path, settings)), weights)
    assert_equal(saved(tmp_path), checkpoint)


def test_an_epoch_that_can_not_be_judged_is_kept_and_the_end_is_the_same(uninterrupted, tmp_path):
    settings, weights, checkpoint = uninterrupted
    judged = []

    def judge(_learner):
        judged.append(None)
        if len(judged) == 2:
            raise ValueError("no such image")

    with pytest.raises(ValueError, match="no such image"):
        train(tmp_path, settings, evaluate=judge)
    assert Checkpoints(tmp_path).step() == 2 * STEPS
    assert_equal(state_of(train(tmp_path, settings)), weights)
    assert_equal(saved(tmp_path), checkpoint)
    assert [line["epoch"] for line in read_log(tmp_path) if "epoch" in line] == [1, 2, 3]


def test_stopped_after_every_single_step_it_ends_the_same(uninterrupted, tmp_path):
    settings, weights, checkpoint = uninterrupted
    for step in range(1, TOTAL):
        with pytest.raises(KeyboardInterrupt, match=rf"after step {step} "):
            train(tmp_path, settings, progress=signalling_after(step))
    assert_equal(state_of(train(tmp_path, settings)), weights)
    assert_equal(saved(tmp_path), checkpoint)


def test_a_keyboard_interrupt_while_a_batch_is_waited_for_saves_too(tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"after step 7 \(epoch 2\)"):
        train(tmp_path, batches=ending_after(7, KeyboardInterrupt()))
    assert Checkpoints(tmp_path).step() == 7


def test_a_second_signal_ends_it_at_once_and_in_the_step_nothing_is_saved(tmp_path):
    def impatient(learner, batch):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return remembering(learner, batch)

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        train(tmp_path, learner=toy_learner(impatient))
    assert Checkpoints(tmp_path).step() is None


def test_in_a_thread_of_a_program_signals_are_left_alone(tmp_path):
    thread = threading.Thread(target=train, args=(tmp_path,))
    thread.start()
    thread.join()
    assert Checkpoints(tmp_path).step() == TOTAL


class Toys(Dataset):
    def __getitem__(self, step):
        return toy_batch(step)


def from_workers(start, stop):
    given = {"sampler": range(start, stop), "batch_size": None, "num_workers": 2, "worker_init_fn": leave_signals_to_parent}
    return DataLoader(Toys(), **given, generator=torch.Generator())


def test_with_worker_processes_a_signal_to_all_of_them_saves_and_the_end_is_the_same(uninterrupted, tmp_path):
    settings, weights, checkpoint = uninterrupted

    def signal_to_all(reached):
        if reached.step == 8:
            for process in torch.multiprocessing.active_children():
                os.kill(process.pid, signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt, match="after step 8 "):
        train(tmp_path, settings, batches=from_workers, progress=signal_to_all)
    assert_equal(state_of(train(tmp_path, settings, batches=from_workers)), weights)
    assert_equal(saved(tmp_path), checkpoint)


def test_the_log_of_a_stopped_training_is_that_of_an_uninterrupted_one(tmp_path):
    def lines(folder):
        timed = ("seconds", "images_per_second")
        return [{name: value for name, value in line.items() if name not in timed} for line in read_log(folder)]

    evaluate = {"evaluate": lambda learner: Validated(0.5, 1.25), "log_every": 2}
    train(tmp_path / "whole", **evaluate)
    with pytest.raises(ValueError, match="late"):
        train(tmp_path / "stopped", learner=toy_learner(failing_at(9, ValueError("late"))), **evaluate)
    assert [line["step"] for line in lines(tmp_path / "stopped")] == [2, 4, 5, 6, 8]
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", progress=signalling_after(12), **evaluate)
    train(tmp_path / "stopped", **evaluate)
    assert lines(tmp_path / "stopped") == lines(tmp_path / "whole")
    assert [line["step"] for line in lines(tmp_path / "whole")] == [2, 4, 5, 6, 8, 10, 10, 12, 14, 15]


def test_a_finished_training_is_given_back_without_a_step(tmp_path):
    weights = state_of(train(tmp_path))
    again = train(tmp_path, batches=ending_after(0, AssertionError("no batch is needed")))
    assert_equal(state_of(again), weights)
