"""The contract of a scorer: ``fit(outputs)``, ``score(outputs)``; higher means more in-distribution, always."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from safetensors.torch import save_file
from torch import Tensor

from oodkit.atomic import write_atomically
from oodkit.errors import NotApplicableError, NotFittedError
from oodkit.outputs import Outputs

FitsOn = Literal["train", "val"] | None
State = dict[str, Tensor]


class Scorer(ABC):
    """One OOD score of the field. A subclass is a dataclass; its fields are its hyper-parameters.

    name: its word everywhere. title: the method's full name. paper: its source. fits_on: the ID images that it learns from,
    ``"train"``, ``"val"`` or None. presets: what differs from the fields' defaults (OpenOOD v1.5's) under another preset.
    uses: whether its score comes from the ``"logits"``, from the ``"features"``, or from ``"both"``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    uses: ClassVar[Literal["logits", "features", "both"]]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    fits_on: FitsOn = None

    state: State | None = None

    def fit(self, outputs: Outputs) -> Self:
        """Learn from ID outputs; what was learnt before is forgotten. A scorer that learns nothing accepts the call."""
        if self.fits_on is not None:
            if len(outputs) == 0:
                raise NotApplicableError(f"{self.name} learns from ID {self.fits_on} images, got none")
            self.state = None
            self.state = self._fit(outputs)
        return self

    def score(self, outputs: Outputs) -> Tensor:
        """(N,) float64 on the CPU, higher = more in-distribution. Reads features and logits, never labels.

        Raises NotFittedError before ``fit`` where the scorer learns, NotApplicableError where it can't serve these outputs.
        """
        if self.fits_on is not None and self.state is None:
            raise NotFittedError(f"{self.name} has not been fitted: call fit(outputs of ID {self.fits_on} images) first")
        scores = [self._score(chunk).double().cpu() for chunk in outputs.chunks()]
        return torch.cat(scores) if scores else torch.empty(0, dtype=torch.float64)

    def settings(self) -> dict[str, Any]:
        """The hyper-parameters as they take effect; after ``fit`` with every automatic value resolved."""
        return {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]  # every subclass is a dataclass

    def caution(self, outputs: Outputs) -> str | None:
        """One line where the scorer can be used on this model but its assumptions do not hold."""
        return None

    def save(self, path: str | Path) -> None:
        """Write settings and what was learnt to one safetensors file; ``load_scorer`` reads it."""
        tensors = {name: tensor.cpu().contiguous() for name, tensor in (self.state or {}).items()}
        fitted = self.fits_on is None or self.state is not None
        own = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]
        facts = {"format": "oodkit-scorer-1", "scorer": self.name, "settings": json.dumps(own), "fitted": json.dumps(fitted)}
        write_atomically(Path(path), lambda temporary: save_file(tensors, temporary, facts))

    def learnt(self, name: str, like: Tensor) -> Tensor:
        """What ``fit`` stored under ``name``, on the device of ``like``."""
        assert self.state is not None
        return self.state[name].to(like.device)

    def _fit(self, outputs: Outputs) -> State:
        return {}

    @abstractmethod
    def _score(self, chunk: Outputs) -> Tensor:
        """(n,) scores of one chunk, whose features (n, D) and logits (n, C) are in memory."""
