"""The training loop: one function for every recipe, on one process or several."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from oodkit.errors import TrainingError
from oodkit.failures import is_out_of_memory
from oodkit.training.averaging import Average
from oodkit.training.batch import Batch
from oodkit.training.checkpoints import Checkpoints, State
from oodkit.training.interruption import Interruption
from oodkit.training.learner import Learner
from oodkit.training.log import Log
from oodkit.training.optimizer import make_optimizer
from oodkit.training.schedule import lr_at
from oodkit.training.settings import Settings
from oodkit.training.tally import Figures

if TYPE_CHECKING:
    from accelerate import Accelerator

LOG_EVERY = 50  # steps


@dataclass(frozen=True)
class Validated:
    """What a learner achieves on validation images. loss: None where its logits are not the classes' alone."""

    accuracy: float
    loss: float | None


@dataclass(frozen=True)
class Reached:
    """How far a training is. step: the steps done, of ``total``; epoch: the one that the last of them is of, from 1.

    images_per_second: of all processes, in the epoch. figures: of the epoch so far, renewed every ``log_every`` steps; None before
    the first. val: of the last epoch that is over. epoch_over: the step is the last of its epoch.
    """

    step: int
    total: int
    epoch: int
    epochs: int
    images_per_second: float
    figures: Figures | None = None
    val: Validated | None = None
    epoch_over: bool = False


@dataclass(frozen=True)
class _Fixed:
    """What stays as it is from step to step. checkpoints: None in all processes but the first."""

    settings: Settings
    steps_per_epoch: int
    accelerator: "Accelerator"
    checkpoints: Checkpoints | None

    @property
    def total(self) -> int:
        return self.settings.epochs * self.steps_per_epoch

    @property
    def warmup_steps(self) -> int:
        return round(self.settings.warmup * self.steps_per_epoch)

    def place(self, step: int) -> str:
        return f"step {step} (epoch {self.epoch(step)})"

    def epoch(self, step: int) -> int:
        return 1 + (step - 1) // self.steps_per_epoch

    def images_of_epoch(self, step: int) -> int:
        """Of all processes, in the steps of the epoch up to this one."""
        images: int = (1 + (step - 1) % self.steps_per_epoch) * self.settings.batch_size * self.accelerator.num_processes
        return images


def learn(
    learner: Learner,
    batches: Callable[[int, int], Iterable[Batch]],
    settings: Settings,
    *,
    steps_per_epoch: int,
    accelerator: "Accelerator",
    checkpoints: Checkpoints | None = None,
    log: Log | None = None,
    evaluate: Callable[[Learner], Validated | None] | None = None,
    progress: Callable[[Reached], None] | None = None,
    log_every: int = LOG_EVERY,
) -> Learner:
    """Train, from the step that the checkpoint holds or from 0, and give the trained learner: with ``ema`` the average's.

    batches: gives those of steps start to stop, from 0, this process's part. evaluate: called after each epoch, by every process;
    an epoch that it fails after is saved without it. progress: called after each step, in the first process. SIGINT and SIGTERM
    end the training after the step at hand: its state is saved, and a KeyboardInterrupt says where. So it is saved where the next
    batch can't be had.

    Raises TrainingError where the loss becomes infinite or nan, or the memory does not suffice; the last checkpoint is kept.
    """
    first = accelerator.is_main_process
    fixed = _Fixed(settings, steps_per_epoch, accelerator, checkpoints if first else None)
    model, state = _prepare(learner, fixed)
    if checkpoints is not None:
        checkpoints.load(state)
    log = log if first and log is not None else Log(None)
    log.resume(state.step)
    figures, val = None, None
    with _generator_as_before(accelerator.device), Interruption() as interrupted:
        model.train()
        for batch in _fetched(batches, state, fixed, interrupted):
            lr = lr_at(state.step, fixed.total, settings.lr, fixed.warmup_steps)
            loss = _step(model, batch, lr, state, fixed)
            logged, epoch_over = state.step % log_every == 0, state.step % steps_per_epoch == 0
            if logged or epoch_over:
                figures = _figures(state, fixed)
            pace = state.pace.facts(fixed.images_of_epoch(state.step))  # after the figures, which wait for the device
            if logged:
                log.write({"step": state.step, "loss": accelerator.reduce(loss, "mean").item(), "lr": lr})
            if epoch_over:
                line = {"epoch": fixed.epoch(state.step), "step": state.step, **vars(figures), "lr": lr, **pace}
                val = _end_epoch(line, evaluate, log, state, fixed, interrupted)
            if epoch_over or (logged and fixed.checkpoints is not None and fixed.checkpoints.due):
                _save(state, fixed)
            if first and progress is not None:
                at = (state.step, fixed.total, fixed.epoch(state.step), settings.epochs)
                progress(Reached(*at, pace["images_per_second"], figures, val, epoch_over))
            if interrupted:
                raise _interruption(state, fixed, interrupted)
    accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # takes off what it put around the learner's forward
    return state.trained


def _prepare(learner: Learner, fixed: _Fixed) -> tuple[nn.Module, State]:
    """What is called for the loss, and all that changes."""
    settings, device = fixed.settings, fixed.accelerator.device
    learner.to(device).to(memory_format=torch.channels_last)
    # the copy is made before accelerate changes the learner's forward, which a copy would share with it
    average = Average(learner, total_steps=fixed.total, warmup_steps=fixed.warmup_steps) if settings.ema else None
    model = fixed.accelerator.prepare(learner)
    return model, State(learner, make_optimizer(learner, settings), average, fixed.accelerator.scaler)


def _fetched(
    batches: Callable[[int, int], Iterable[Batch]], state: State, fixed: _Fixed, interrupted: Interruption
) -> Iterator[Batch]:
    """The batches that are left. Where the next can't be had, what is done is saved."""
    left = iter(batches(state.step, fixed.total) if state.step < fixed.total else ())
    while True:
        try:
            batch = next(left)
        except StopIteration:
            return
        except BaseException as error:
            if interrupted or isinstance(error, KeyboardInterrupt):
                raise _interruption(state, fixed, interrupted) from error
            _save(state, fixed)
            raise
        batch.progress = state.step / fixed.total
        yield batch


def _step(model: nn.Module, batch: Batch, lr: float, state: State, fixed: _Fixed) -> Tensor:
    """One step: the state's weights, average, tally and count are those after it. Gives the loss."""
    device, alone = fixed.accelerator.device, fixed.accelerator.num_processes == 1
    for group in state.optimizer.param_groups:
        group["lr"] = lr
    _seed(device, fixed.settings.seed, state.step, fixed.accelerator.process_index)
    try:
        found = model(_on(batch, device))
        first, *others = (part.float() for part in found.parts.values())
        loss: Tensor = sum(others, start=first)
        if alone and device.type == "cpu" and not math.isfinite(loss.detach()):  # elsewhere to look at it would take time
            raise _not_finite(loss.item(), "at", state.step + 1, fixed)
        _descend(loss, state)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        what = f"ran out of memory on {device} at {fixed.place(state.step + 1)} with {fixed.settings.batch_size} images a step"
        remedy = "try a smaller --batch-size" + (", or --amp bf16" if fixed.settings.amp == "no" else "")
        raise TrainingError(f"{what}; {remedy}{_kept(fixed)}") from error
    state.tally.add(loss, found)
    if state.average is not None:
        state.average.update(state.learner, state.step)
    state.step += 1
    return loss.detach()


def _descend(loss: Tensor, state: State) -> None:
    """By torch alone: what accelerate puts around backward and step looks for packages on the disk each time."""
    if state.scaler is None:
        torch.autograd.backward(loss)
        state.optimizer.step()
    else:
        torch.autograd.backward(state.scaler.scale(loss))
        state.scaler.step(state.optimizer)
        state.scaler.update()
    state.optimizer.zero_grad()


def _figures(state: State, fixed: _Fixed) -> Figures:
    """Of the epoch so far and all processes. Raises TrainingError where a loss in it was not finite."""
    from accelerate.utils import gather_object

    figures = state.tally.figures(gather_object)
    if not math.isfinite(figures.loss):
        raise _not_finite(figures.loss, "by", state.step, fixed)
    return figures


def _end_epoch(
    line: dict[str, Any],
    evaluate: Callable[[Learner], Validated | None] | None,
    log: Log,
    state: State,
    fixed: _Fixed,
    interrupted: Interruption,
) -> Validated | None:
    """What ``evaluate`` gives. Where it fails, the epoch is kept without it."""
    try:
        val = evaluate(state.trained) if evaluate else None
    except BaseException as error:
        _log_epoch(line, None, log, state, fixed)
        if interrupted:  # by a second signal, or by the first, of which the processes that decode have died
            raise _interruption(state, fixed, interrupted) from error
        _save(state, fixed)
        raise
    _log_epoch(line, val, log, state, fixed)
    return val


def _log_epoch(line: dict[str, Any], val: Validated | None, log: Log, state: State, fixed: _Fixed) -> None:
    accuracy, loss = (None, None) if val is None else (val.accuracy, val.loss)
    log.write({**line, "val_accuracy": accuracy, "val_loss": loss})
    if accuracy is not None and (state.best is None or accuracy > state.best):
        if fixed.checkpoints is not None:
            fixed.checkpoints.save_best(state)
        state.best = accuracy
    state.tally.clear()
    state.pace.restart()


def _save(state: State, fixed: _Fixed) -> None:
    if fixed.checkpoints is not None:
        fixed.checkpoints.save(state)


def _interruption(state: State, fixed: _Fixed, by: Interruption) -> KeyboardInterrupt:
    """Saves what is done, and says so."""
    _save(state, fixed)
    where = f"saved in {fixed.checkpoints.folder}; the same command goes on from there" if fixed.checkpoints else "nothing is saved"
    return by.error(f"interrupted after {fixed.place(state.step)} of {fixed.total}: {where}")


def _not_finite(loss: float, when: str, step: int, fixed: _Fixed) -> TrainingError:
    precision = "" if fixed.settings.amp == "no" else ", or --amp no"
    remedy = f"try a lower --lr than {fixed.settings.lr:g}, a --warmup of some epochs{precision}"
    return TrainingError(f"the loss became {loss} {when} {fixed.place(step)}; {remedy}{_kept(fixed)}")


def _kept(fixed: _Fixed) -> str:
    return f"; {fixed.checkpoints.kept()}" if fixed.checkpoints is not None else ""


def _on(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch
    layout = torch.channels_last if device.type == "cuda" else torch.preserve_format
    views = tuple(view.to(device, non_blocking=True, memory_format=layout) for view in batch.views)
    outliers = batch.outliers
    if outliers is not None:
        outliers = outliers.to(device, non_blocking=True, memory_format=layout)
    return Batch(views, batch.labels.to(device, non_blocking=True), outliers, batch.progress)


def _seed(device: torch.device, *what: int) -> None:
    """Seed what the recipe and the network draw from by what the step is, so that nothing random is ever stored."""
    seed = int.from_bytes(hashlib.blake2b(repr(what).encode(), digest_size=7).digest(), "big")
    torch.default_generator.manual_seed(seed)  # torch.manual_seed seeds every device there could be, which takes longer than a step
    if device.type in {"cuda", "mps"}:
        getattr(torch, device.type).manual_seed(seed)


def _generator_as_before(device: torch.device) -> AbstractContextManager[None]:
    """While open, torch's generators may be seeded; afterwards they are as they were."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])
