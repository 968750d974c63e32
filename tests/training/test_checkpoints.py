"""One file to go on from: whole or not there, of tensors and words alone, and refused where it does not fit."""

from shutil import copytree

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

import oodkit.tensor_file
from oodkit.errors import CheckpointError, OodkitError, TrainingError
from oodkit.tensor_file import load_stored
from oodkit.training import checkpoints as module
from oodkit.training.averaging import Average
from oodkit.training.checkpoints import Checkpoints, State
from oodkit.training.folder import LAST
from oodkit.training.learner import Learner
from oodkit.training.optimizer import make_optimizer

from .toy_run import ADAMW, SGD, assert_equal, plain, saved, toy_batch, toy_learner


def state_after(steps, settings=ADAMW, learner=None):
    learner = learner or toy_learner(plain)
    state = State(learner, make_optimizer(learner, settings), Average(learner, total_steps=9) if settings.ema else None)
    for step in range(steps):
        loss = sum(learner(toy_batch(step)).parts.values())
        loss.backward()
        state.optimizer.step()
        state.optimizer.zero_grad()
        if state.average:
            state.average.update(learner, step)
        state.step += 1
    return state


def test_the_file_holds_weights_their_average_and_the_optimisers_state_as_tensors(tmp_path):
    Checkpoints(tmp_path).save(state_after(2))
    names = set(saved(tmp_path))
    assert {"learner.net.head.weight", "learner.extra.queue", "average.module.net.norm.running_var", "average.n_averaged"} <= names
    assert {"optimizer.0.exp_avg", "optimizer.0.exp_avg_sq", "optimizer.0.step"} <= names
    with safe_open(str(tmp_path / LAST), "pt") as file:
        assert {name: file.metadata()[name] for name in ("step", "best", "optimizer", "scaler")} == {
            "step": "2", "best": "null", "optimizer": "{}", "scaler": "{}",
        }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == [LAST]


@pytest.mark.parametrize("settings", [SGD, ADAMW], ids=["sgd", "adamw and average"])
def test_what_is_loaded_is_what_was_saved(tmp_path, settings):
    state = state_after(3, settings)
    state.best = 0.75
    Checkpoints(tmp_path).save(state)
    fresh = state_after(0, settings)
    Checkpoints(tmp_path).load(fresh)
    assert (fresh.step, fresh.best) == (3, 0.75)
    Checkpoints(tmp_path / "again").save(fresh)
    assert_equal(saved(tmp_path / "again"), saved(tmp_path))


def test_where_nothing_was_saved_nothing_is_loaded(tmp_path):
    state = state_after(1)
    Checkpoints(tmp_path).load(state)
    assert (state.step, Checkpoints(tmp_path).step()) == (1, None)


def test_killed_while_it_writes_the_last_whole_one_is_left(tmp_path, monkeypatch):
    """A kill leaves what lies on the disk at that moment, and nothing tidies up after it."""
    folder, left = tmp_path / "run", tmp_path / "left"
    Checkpoints(folder).save(state_after(2))
    whole = saved(folder)

    def write_half(tensors, path, metadata):
        path.write_bytes(b"half a file")
        copytree(folder, left)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(oodkit.tensor_file, "save_file", write_half)
    with pytest.raises(OodkitError, match="No space left on device"):
        Checkpoints(folder).save(state_after(3))
    assert len(list(left.iterdir())) == 2, "the half that was written lies beside it"
    assert Checkpoints(left).step() == 2
    assert_equal(saved(left), whole)


def test_a_full_disk_leaves_the_last_one(tmp_path, monkeypatch):
    Checkpoints(tmp_path).save(state_after(2))

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(oodkit.tensor_file, "save_file", fail)
    with pytest.raises(OodkitError, match="No space left on device; free some space"):
        Checkpoints(tmp_path).save(state_after(3))
    assert Checkpoints(tmp_path).step() == 2


@pytest.mark.parametrize("spoil", ["weight", "buffer", "loss"])
def test_what_is_not_finite_is_never_written(tmp_path, spoil):
    Checkpoints(tmp_path).save(state_after(2))
    state = state_after(3)
    with torch.no_grad():
        if spoil == "weight":
            state.learner.net.head.bias[0] = float("nan")
        elif spoil == "buffer":
            state.learner.extra.queue[0] = float("inf")
        else:
            state.tally.sums["loss"] = torch.tensor(float("nan"))
    text = rf"^the weights or the loss are not finite after step 3; the checkpoint of step 2 is kept in {tmp_path}, and other "
    with pytest.raises(TrainingError, match=text):
        Checkpoints(tmp_path).save(state)
    assert Checkpoints(tmp_path).step() == 2


def another_network():
    learner = toy_learner(plain)
    learner.net.head = nn.Linear(5, 9)
    return state_after(0, learner=learner)


def test_one_of_another_training_is_refused(tmp_path):
    Checkpoints(tmp_path).save(state_after(1))
    with pytest.raises(
        CheckpointError, match=r"can't go on from .*last.safetensors: it is damaged or of another training; remove it"
    ):
        Checkpoints(tmp_path).load(another_network())


@pytest.mark.parametrize("damage", [b"", b"half a file", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_one_is_refused(tmp_path, damage):
    (tmp_path / LAST).write_bytes(damage)
    for use in (Checkpoints(tmp_path).step, lambda: Checkpoints(tmp_path).load(state_after(0))):
        with pytest.raises(
            CheckpointError, match=r"can't go on from .*: it is damaged or of another training; remove it to begin anew"
        ):
            use()


def test_one_with_a_changed_byte_is_refused(tmp_path):
    Checkpoints(tmp_path).save(state_after(1))
    whole = bytearray((tmp_path / LAST).read_bytes())
    whole[-5] ^= 1
    (tmp_path / LAST).write_bytes(whole)
    with pytest.raises(CheckpointError, match="damaged"):
        Checkpoints(tmp_path).load(state_after(0))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(108, 108), nn.Linear(108, 108)
        self.head.weight = self.first.weight
        self.register_buffer("part", self.first.bias.detach()[:4])

    def forward(self, images):
        return self.head(self.first(images.flatten(1)))


def test_tied_weights_can_be_saved(tmp_path):
    def tied():
        return state_after(1, SGD, Learner(Tied(), "head", 108, nn.Module(), plain))

    state, fresh = tied(), tied()
    Checkpoints(tmp_path).save(state)
    Checkpoints(tmp_path).load(fresh)
    assert fresh.learner.net.head.weight is fresh.learner.net.first.weight
    assert torch.equal(fresh.learner.net.head.weight, state.learner.net.head.weight)


def test_weights_in_another_memory_format_come_back_in_it_with_their_momentum(tmp_path):
    def last():
        return toy_learner(plain).to(memory_format=torch.channels_last)

    Checkpoints(tmp_path).save(state_after(2, SGD, last()))
    fresh = state_after(0, SGD, last())
    Checkpoints(tmp_path).load(fresh)
    weight = fresh.learner.net.conv.weight
    assert fresh.optimizer.state[weight]["momentum_buffer"].stride() == weight.stride() == (27, 1, 9, 3)


def test_ten_minutes_after_the_last_one_another_is_due(tmp_path, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    checkpoints = Checkpoints(tmp_path)
    assert not checkpoints.due
    clock[0] += 600
    assert checkpoints.due
    checkpoints.save(state_after(1))
    assert not checkpoints.due


def test_the_best_is_written_by_who_knows_how(tmp_path):
    told = []
    state = state_after(1)
    Checkpoints(tmp_path, save_best=lambda learner, path: told.append((learner, path))).save_best(state)
    assert told == [(state.average.learner, tmp_path / "best.safetensors")]
    Checkpoints(tmp_path).save_best(state)


@pytest.mark.parametrize("name", ["step", "best", "optimizer", "scaler", "tally"])
@pytest.mark.parametrize("word", ["-1", '"x"', "[[]]", '{"99.momentum": {}}', "1e999"])
def test_a_crafted_one_without_a_checksum_is_refused_or_can_be_gone_on_from(tmp_path, name, word):
    Checkpoints(tmp_path).save(state_after(2))
    tensors, facts = load_stored(tmp_path / LAST, "a checkpoint")
    save_file({key: tensor.clone() for key, tensor in tensors.items()}, tmp_path / LAST, {**facts, name: word})
    state = state_after(0)
    try:
        Checkpoints(tmp_path).load(state)
    except CheckpointError as error:
        assert str(error).isprintable()  # noqa: PT017 (either outcome is right, and nothing else)
        return
    assert state.step == 2
    Checkpoints(tmp_path / "again").save(state)
    assert_equal(saved(tmp_path / "again"), saved(tmp_path))
