"""The loop: what a step and an epoch come to, what is logged and told of them, and that nothing bad is saved."""

import math
from types import SimpleNamespace

import pytest
import torch

from oodkit.errors import TrainingError
from oodkit.tensor_file import load_stored
from oodkit.training import loop
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.folder import LAST
from oodkit.training.log import read_log
from oodkit.training.loop import Validated
from oodkit.training.processes import join_processes
from oodkit.training.settings import Settings

from .toy_run import (
    ADAMW,
    EPOCHS,
    SGD,
    STEPS,
    failing_at,
    plain,
    remembering,
    saved,
    signalling_after,
    state_of,
    toy_batch,
    toy_batches,
    toy_learner,
    train,
)


def test_what_an_epoch_logs(tmp_path):
    train(tmp_path, evaluate=lambda learner: Validated(0.5, 1.25), log_every=4)
    lines = [line for line in read_log(tmp_path) if "epoch" in line]
    assert [(line["epoch"], line["step"]) for line in lines] == [(1, 5), (2, 10), (3, 15)]
    assert list(lines[0]) == [
        "epoch", "step", "loss", "parts", "accuracy", "lr", "images_per_second", "seconds", "val_accuracy", "val_loss",
    ]  # fmt: skip
    first = lines[0]
    assert first["parts"].keys() == {"cross-entropy", "pull"}
    assert sum(first["parts"].values()) == pytest.approx(first["loss"], rel=1e-6)
    assert first["accuracy"] * 30 == pytest.approx(round(first["accuracy"] * 30))
    assert first["images_per_second"] * first["seconds"] == pytest.approx(30)
    assert (first["val_accuracy"], first["val_loss"]) == (0.5, 1.25)


def test_the_loss_that_is_logged_is_the_mean_of_the_steps(tmp_path):
    train(tmp_path, log_every=1)
    steps = [line for line in read_log(tmp_path) if "epoch" not in line]
    epochs = [line for line in read_log(tmp_path) if "epoch" in line]
    for epoch in epochs:
        own = [line["loss"] for line in steps if epoch["step"] - STEPS < line["step"] <= epoch["step"]]
        assert epoch["loss"] == pytest.approx(sum(own) / STEPS, rel=1e-6)


def diverging(at):
    seen = []

    def loss(learner, batch):
        seen.append(None)
        found = remembering(learner, batch)
        if len(seen) == at:
            found.parts["pull"] = found.parts["pull"] * float("nan")
        return found

    return loss


def test_a_loss_that_is_not_finite_ends_it_with_the_last_checkpoint_and_the_way_out(tmp_path):
    text = (
        r"^the loss became nan at step 8 \(epoch 2\); try a lower --lr than 0.1, a --warmup of some epochs; the checkpoint of "
        rf"step 5 is kept in {tmp_path}, and other settings begin a new run: give it another -o DIR$"
    )
    with pytest.raises(TrainingError, match=text):
        train(tmp_path, learner=toy_learner(diverging(8)))
    assert Checkpoints(tmp_path).step() == 5
    assert all(tensor.isfinite().all() for tensor in saved(tmp_path).values())


def test_without_a_checkpoint_yet_it_says_so_and_writes_none(tmp_path):
    text = rf"nan at step 1 \(epoch 1\); .* some epochs, or --amp no; nothing is saved in {tmp_path} yet, and a training with other"
    with pytest.raises(TrainingError, match=text):
        train(tmp_path, Settings(epochs=EPOCHS, batch_size=6, amp="bf16"), learner=toy_learner(diverging(1)))
    assert not (tmp_path / LAST).exists()


def test_a_loss_that_was_not_looked_at_is_found_before_anything_is_saved(tmp_path, monkeypatch):
    """As on a GPU, where a step does not wait for its loss."""
    blind = SimpleNamespace(isfinite=lambda value: isinstance(value, torch.Tensor) or math.isfinite(value))
    monkeypatch.setattr(loop, "math", blind)
    with pytest.raises(TrainingError, match=r"nan by step 10 \(epoch 2\); .* the checkpoint of step 5"):
        train(tmp_path, learner=toy_learner(diverging(8)))
    with pytest.raises(TrainingError, match=r"nan by step 6 \(epoch 2\)"):
        train(tmp_path, learner=toy_learner(diverging(1)), log_every=3)
    with pytest.raises(TrainingError, match="not finite after step 7; the checkpoint of step 5 is kept"):
        train(tmp_path, learner=toy_learner(diverging(1)), progress=signalling_after(7))
    assert Checkpoints(tmp_path).step() == 5


def test_too_little_memory_names_the_batch_size(tmp_path):
    text = (
        r"^ran out of memory on cpu at step 7 \(epoch 2\) with 6 images a step; try a smaller --batch-size, or --amp bf16; the "
        rf"checkpoint of step 5 is kept in {tmp_path}, and other settings begin a new run: give it another -o DIR$"
    )
    with pytest.raises(TrainingError, match=text):
        train(tmp_path, learner=toy_learner(failing_at(7, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"))))


def test_the_best_epoch_by_accuracy_is_kept_also_over_a_stop(tmp_path):
    accuracies = iter([0.5, 0.7, 0.7])
    kept = []
    checkpoints = Checkpoints(tmp_path, save_best=lambda learner, path: kept.append((path.name, state_of(learner))))
    more = {"checkpoints": checkpoints, "evaluate": lambda learner: Validated(next(accuracies), None)}
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, progress=signalling_after(11), **more)
    train(tmp_path, **more)
    assert [name for name, _ in kept] == ["best.safetensors"] * 2
    assert load_stored(tmp_path / LAST, "a checkpoint")[1]["best"] == "0.7"


def test_the_average_is_what_is_judged_and_given_back(tmp_path):
    judged = []
    learner = toy_learner()
    trained = train(tmp_path, ADAMW, learner=learner, evaluate=lambda one: judged.append(one) or Validated(0.1, None))
    assert trained is not learner
    assert judged == [trained] * EPOCHS


def test_the_callers_generator_is_as_before(tmp_path):
    learner = toy_learner()
    torch.manual_seed(11)
    train(tmp_path, learner=learner)
    after = torch.rand(3)
    torch.manual_seed(11)
    assert torch.equal(torch.rand(3), after)


def test_what_is_drawn_in_a_step_belongs_to_the_seed(tmp_path):
    one = train(tmp_path / "one", SGD)
    other = train(tmp_path / "other", Settings(epochs=EPOCHS, batch_size=6, lr=0.1, seed=1))
    assert not torch.equal(one.net.head.weight, other.net.head.weight)


def test_progress_tells_every_step(tmp_path):
    told = []
    train(tmp_path, progress=told.append, evaluate=lambda learner: Validated(0.25, 2.0), log_every=3)
    assert [(one.step, one.epoch, one.epoch_over) for one in told[:6]] == [
        (1, 1, False), (2, 1, False), (3, 1, False), (4, 1, False), (5, 1, True), (6, 2, False),
    ]  # fmt: skip
    assert (told[0].total, told[0].epochs, told[0].figures, told[0].val) == (15, 3, None, None)
    assert told[2].figures is told[3].figures is not None
    assert told[4].val == told[5].val == Validated(0.25, 2.0)
    assert all(one.images_per_second > 0 for one in told)


def test_one_step_is_the_gradient_of_the_sum_of_the_parts_by_the_optimisers_rule(tmp_path):
    """Nesterov's first step: v = g + decay · w, w ← w − lr (v + 0.9 v)."""
    learner = toy_learner(plain)
    learner.net.drop.p = 0.0
    weight, batch = learner.net.head.weight, toy_batch(0)
    before = weight.detach().clone()
    (gradient,) = torch.autograd.grad(plain(learner, batch).parts["cross-entropy"], weight)
    settings = Settings(epochs=1, batch_size=6, lr=0.1, weight_decay=0.01)
    loop.learn(learner, toy_batches, settings, steps_per_epoch=1, accelerator=join_processes(device="cpu"))
    torch.testing.assert_close(weight.detach(), before - 0.1 * 1.9 * (gradient + 0.01 * before))


def test_bfloat16_learns_and_leaves_weights_and_forward_as_they_were(tmp_path):
    learner = toy_learner(plain)
    forward = type(learner).forward
    trained = train(tmp_path, Settings(epochs=EPOCHS, batch_size=6, amp="bf16"), learner=learner, log_every=1)
    assert trained.net.head.weight.dtype == torch.float32
    assert trained.forward.__func__ is forward
    exact = toy_learner(plain)
    train(tmp_path / "exact", Settings(epochs=EPOCHS, batch_size=6), learner=exact, log_every=1)
    rough, fine = ([line["loss"] for line in read_log(folder)] for folder in (tmp_path, tmp_path / "exact"))
    assert rough == pytest.approx(fine, rel=0.02)
    assert rough != fine
