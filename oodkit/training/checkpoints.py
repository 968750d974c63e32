"""What a training goes on from: one safetensors file with the weights, their average, the optimiser's state and the step."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.optim import Optimizer

from oodkit.errors import CheckpointError, OutputsError, TrainingError
from oodkit.tensor_file import load_stored, save_stored
from oodkit.training.averaging import Average
from oodkit.training.folder import BEST, LAST
from oodkit.training.learner import Learner
from oodkit.training.pace import Pace
from oodkit.training.tally import Tally

EVERY = 600.0  # seconds between two checkpoints inside a long epoch
LEARNER, AVERAGE, OPTIMIZER = "learner.", "average.", "optimizer."


@dataclass
class State:
    """What changes from step to step. step: the steps done. best: the accuracy on validation images of the best epoch so far.

    scaler: of the loss, in half precision. tally, pace: of the epoch that is under way.
    """

    learner: Learner
    optimizer: Optimizer
    average: Average | None = None
    scaler: torch.amp.GradScaler | None = None
    step: int = 0
    best: float | None = None
    tally: Tally = field(default_factory=Tally)
    pace: Pace = field(default_factory=Pace)

    @property
    def trained(self) -> Learner:
        """The learner to use: the average, where there is one."""
        return self.learner if self.average is None else self.average.learner

    def finite(self) -> bool:
        """Whether the losses of the epoch, the weights and what is remembered beside them are."""
        tensors = [*self.learner.parameters(), *self.learner.buffers()]
        checks = [tensor.detach().isfinite().all() for tensor in tensors if tensor.is_floating_point()]
        return self.tally.finite and (not checks or bool(torch.stack(checks).all()))


class Checkpoints:
    """``last.safetensors`` of a run's folder. save_best: writes the network of a learner as a plain checkpoint to a path."""

    def __init__(self, folder: Path, *, save_best: Callable[[Learner, Path], object] | None = None) -> None:
        self.folder, self._save_best = folder, save_best
        self._saved = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last one, or the beginning, lies ten minutes back."""
        return time.monotonic() - self._saved >= EVERY

    def step(self) -> int | None:
        """The steps done at the last one; None where there is none. Raises CheckpointError where it is damaged."""
        path = self.folder / LAST
        if not path.is_file():
            return None
        try:
            with safe_open(str(path), "pt") as file:
                return int(file.metadata()["step"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise CheckpointError(_damaged(path)) from error

    def save(self, state: State) -> None:
        """Write the state, whole or not at all. Raises TrainingError, and keeps what is there, where its numbers are not finite."""
        if not state.finite():
            raise TrainingError(f"the weights or the loss are not finite after step {state.step}; {self.kept()}")
        numbers, tensors = _flat(state.optimizer.state_dict()["state"])
        tensors |= {LEARNER + name: tensor for name, tensor in state.learner.state_dict().items()}
        if state.average is not None:
            tensors |= {AVERAGE + name: tensor for name, tensor in state.average.state_dict().items()}
        facts = {
            "step": state.step,
            "best": state.best,
            "optimizer": numbers,
            "scaler": state.scaler.state_dict() if state.scaler is not None else {},
            "tally": state.tally.numbers(),
            "seconds": state.pace.seconds if state.tally.sums else 0.0,  # between epochs none: equal trainings end in equal bits
        }
        save_stored(self.folder / LAST, _apart(tensors), {name: json.dumps(fact) for name, fact in facts.items()})
        self._saved = time.monotonic()

    def save_best(self, state: State) -> None:
        """Write the trained network alone."""
        if self._save_best is not None:
            self._save_best(state.trained, self.folder / BEST)

    def load(self, state: State) -> None:
        """Bring the state, in place, to what was saved last; leave it as it is where nothing was. Raises CheckpointError."""
        path = self.folder / LAST
        if not path.is_file():
            return
        try:
            tensors, words = load_stored(path, "a checkpoint")
            facts = {name: json.loads(word) for name, word in words.items()}
            facts.setdefault("seconds", 0.0)  # of an oodkit that did not keep them
            _require_numbers(facts)
            state.learner.load_state_dict(_under(tensors, LEARNER))
            if state.average is not None:
                state.average.load_state_dict(_under(tensors, AVERAGE))
            _fill_optimizer(state.optimizer, tensors, facts["optimizer"])
            if state.scaler is not None:
                state.scaler.load_state_dict(facts["scaler"])
            state.step, state.best, state.tally.sums = facts["step"], facts["best"], facts["tally"]
            state.pace.restart(facts["seconds"])
        except (OutputsError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise CheckpointError(_damaged(path)) from error

    def kept(self) -> str:
        """What a training that can't go on has left, for an error; it may be no good to go on from, its numbers far too large."""
        step = self.step()
        if step is None:
            return f"nothing is saved in {self.folder} yet, and a training with other settings may begin there"
        return f"the checkpoint of step {step} is kept in {self.folder}, and other settings begin a new run: give it another -o DIR"


def _flat(state: Mapping[int, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """An optimiser's state as numbers, and tensors by names such as ``optimizer.3.exp_avg``, 3 counting the parameters."""
    entries = {f"{index}.{name}": value for index, values in state.items() for name, value in values.items()}
    tensors = {OPTIMIZER + name: value for name, value in entries.items() if isinstance(value, Tensor)}
    return {name: value for name, value in entries.items() if not isinstance(value, Tensor)}, tensors


def _fill_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    state: dict[int, dict[str, Any]] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, value in {**numbers, **_under(tensors, OPTIMIZER)}.items():
        index, _, key = name.partition(".")
        like = parameters[int(index)]
        if isinstance(value, Tensor) and value.shape == like.shape and key != "step":
            value = torch.empty_like(like, dtype=value.dtype).copy_(value)  # noqa: PLW2901 (in the memory format of the weights)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, each in memory of its own: a safetensors file holds none that share it, as tied weights do."""
    seen: set[int] = set()
    apart: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.detach().clone() if place in seen else tensor
        seen.add(place)
    return apart


def _require_numbers(facts: Mapping[str, Any]) -> None:
    step, best, tally, seconds = (facts[name] for name in ("step", "best", "tally", "seconds"))
    if type(step) is not int or step < 0 or not isinstance(best, int | float | None):
        raise ValueError("its step or its best accuracy is no number")
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise ValueError("its seconds are no number")
    if not isinstance(tally, dict) or not all(isinstance(value, int | float) for value in tally.values()):
        raise ValueError("its sums are no numbers")


def _damaged(path: Path) -> str:
    return f"can't go on from {path}: it is damaged or of another training; remove it to begin anew, or choose another folder"
