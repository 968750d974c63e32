"""What the steps of an epoch come to, summed where the network computes, so that no step waits for a number."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.training.batch import Found

LOSS, STEPS, CORRECT, ANSWERED, PART = "loss", "steps", "correct", "answered", "part "


@dataclass(frozen=True)
class Figures:
    """Means over the steps of an epoch so far, of all processes. accuracy: None where nothing is answered."""

    loss: float
    parts: Mapping[str, float]
    accuracy: float | None


class Tally:
    """Sums by name, tensors on the device or numbers."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor | float] = {}

    def add(self, loss: Tensor, found: Found) -> None:
        self._add(STEPS, 1.0)
        self._add(LOSS, loss.detach())
        for name, part in found.parts.items():
            self._add(PART + name, part.detach())
        if found.correct is not None:
            self._add(CORRECT, found.correct.sum())
            self._add(ANSWERED, float(found.correct.numel()))

    def _add(self, name: str, value: Tensor | float) -> None:
        self.sums[name] = self.sums[name] + value if name in self.sums else value

    def clear(self) -> None:
        self.sums = {}

    @property
    def finite(self) -> bool:
        """Whether all losses of this process were."""
        return math.isfinite(self.sums.get(LOSS, 0.0))

    def figures(self, gather: Callable[[list[dict[str, float]]], Sequence[dict[str, float]]]) -> Figures:
        """After one step at least. gather: gives the sums of all processes; a process may lack parts that others have."""
        sums: dict[str, float] = {}
        for one in gather([self.numbers()]):
            for name, value in one.items():
                sums[name] = sums.get(name, 0.0) + value
        steps = sums[STEPS]
        parts = {name.removeprefix(PART): value / steps for name, value in sums.items() if name.startswith(PART)}
        answered = sums.get(ANSWERED)
        return Figures(sums[LOSS] / steps, parts, sums[CORRECT] / answered if answered else None)

    def numbers(self) -> dict[str, float]:
        """The sums as they are now; waits once for the device."""
        tensors = {name: value for name, value in self.sums.items() if isinstance(value, Tensor)}
        values = torch.stack([value.float() for value in tensors.values()]).tolist() if tensors else []
        return {**self.sums, **dict(zip(tensors, values, strict=True))}
