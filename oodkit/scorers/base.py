"""The contract of a scorer: ``fit(outputs)``, ``score(outputs)``; higher means more in-distribution, always.

A scorer is a dataclass in a file of its own. It gives the class attributes, its settings as fields (checked in
``__post_init__``), ``_score(chunk)``, and ``_fit(outputs)`` where it learns; then it joins ``SCORERS`` in ``__init__``. Chunks,
devices, saving, presets, the command line and the contract tests follow from these.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from oodkit.errors import NotApplicableError, NotFittedError, OutputsError, UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.specs import changed_settings, spec_of
from oodkit.tensor_file import save_stored

FitsOn = Literal["train", "val"] | None
State = dict[str, Tensor]
FORMAT = "oodkit-scorer-2"


class Scorer(ABC):
    """One OOD score of the field. A subclass is a dataclass; its fields are its hyper-parameters.

    name: its word everywhere. title: the method's full name. paper: its source. fits_on: the ID images that it learns from,
    ``"train"``, ``"val"`` or None; a field where the presets differ in it. presets: what differs from the fields' defaults
    (OpenOOD v1.5's) under another preset. uses: whether its score comes from the ``"logits"``, from the ``"features"``, or from
    ``"both"``. grid: what a search tries for each setting (OpenOOD's automatic parameter search); the first one varies fastest.

    state: what ``fit`` learnt, tensors by name. A setting that only ``fit`` can resolve (a None, a bound by the number of images)
    is stored there as a 0-dimensional tensor under the field's own name, and ``settings`` reports that. fitted_on: the number of
    images it learnt from. learnt_shape: the numbers of features and of classes, (D, C), of the network whose outputs those were.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    uses: ClassVar[Literal["logits", "features", "both"]]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    grid: ClassVar[Mapping[str, Sequence[Any]]] = {}
    fits_on: FitsOn = None

    state: State | None = None
    fitted_on: int = 0
    learnt_shape: tuple[int, int] | None = None

    def fit(self, outputs: Outputs) -> Self:
        """Learn from ID outputs; what was learnt before is forgotten. A scorer that learns nothing accepts the call.

        Raises NotApplicableError where it can't learn from these outputs.
        """
        if self.fits_on is not None:
            self.state, self.fitted_on, self.learnt_shape = None, 0, None
            if len(outputs) == 0:
                raise NotApplicableError(f"{self.name} learns from ID {self.fits_on} images, got none")
            self.state, self.fitted_on = self._fit(outputs), len(outputs)
            self.learnt_shape = outputs.num_features, outputs.num_classes
        return self

    def score(self, outputs: Outputs) -> Tensor:
        """(N,) float64 on the CPU, finite, higher = more in-distribution. Reads features and logits, never labels.

        Raises NotFittedError before ``fit`` where the scorer learns, NotApplicableError where it can't serve these outputs.
        """
        require_fitted(self)
        self.require_same_network(outputs)
        scores = torch.empty(len(outputs), dtype=torch.float64)
        done = 0
        for chunk in outputs.chunks():
            own = self.score_chunk(chunk)
            if own.shape != (len(chunk),):
                raise UsageError(f"{self.name} must give {len(chunk)} images a score each, got {tuple(own.shape)}; mend its _score")
            scores[done : done + len(chunk)] = own
            done += len(chunk)
        if not scores.isfinite().all():
            raise NotApplicableError(
                f"{self.name} gives NaN or infinite scores; look for such, or for very large, features and logits"
            )
        return scores

    def score_chunk(self, chunk: Outputs) -> Tensor:
        """(n,) float64 on the chunk's device, of few rows that lie in memory; nothing is checked, and scores may be NaN."""
        return self._score(chunk).double()

    def require_same_network(self, outputs: Outputs | Head) -> None:
        """Raise NotApplicableError where what it learnt is of a network with another number of features or classes."""
        if self.state is None or self.learnt_shape is None:
            return
        got = outputs.num_features, outputs.num_classes
        if got != self.learnt_shape:
            (width, classes), (features, others) = self.learnt_shape, got
            raise NotApplicableError(
                f"{self.name} was fitted on features of {width} entries and {classes} classes, got {features} and {others}; "
                "fit it on this network's outputs"
            )

    def settings(self) -> dict[str, Any]:
        """The hyper-parameters as they take effect; after ``fit`` with every automatic value resolved."""
        learnt = self.state or {}
        return {name: learnt[name].item() if name in learnt else value for name, value in self._given().items()}

    def spec(self) -> str:
        """The scorer as ``parse_scorer`` reads it, such as ``knn:k=10``: its name and the settings that are not the defaults."""
        return spec_of(self.name, changed_settings(self))

    def probe(self) -> str | None:
        """The probe whose tensor it reads beside features and logits, with all its settings; None for most scorers."""
        return None

    def untraceable(self) -> str | None:
        """Why ``torch.export`` can't follow it, so that it can't stand in an ONNX graph; None for most scorers."""
        return f"{self.name} runs the network again on each image, which no graph of one pass can" if self.probe() else None

    def caution(self, outputs: Outputs) -> str | None:
        """One line where the scorer can be used on this model but its assumptions do not hold."""
        return None

    def packed(self) -> tuple[State, dict[str, str]]:
        """What it learnt, tensors by name, and all else as words of metadata, of which ``unpack`` makes it again."""
        learnt = None if self.state is None else sorted(self.state)
        facts = {"settings": self._given(), "learnt": learnt, "fitted_on": self.fitted_on, "learnt_shape": self.learnt_shape}
        return dict(self.state or {}), {"scorer": self.name, **{name: json.dumps(fact) for name, fact in facts.items()}}

    def save(self, path: str | Path) -> None:
        """Write settings and what was learnt to one safetensors file; ``load_scorer`` reads it."""
        tensors, facts = self.packed()
        save_stored(Path(path), tensors, {"format": FORMAT, **facts})

    def learnt(self, name: str, like: Tensor) -> Tensor:
        """What ``fit`` stored under ``name``, on the device of ``like``; it stays there for the next chunk.

        Raises OutputsError where it is not there: the scorer was loaded from what another version saved.
        """
        assert self.state is not None
        if name not in self.state:
            raise OutputsError(f"this {self.name} has not learnt its {name!r}: another version of oodkit saved it; fit it again")
        self.state[name] = self.state[name].to(like.device)
        return self.state[name]

    def head_of(self, outputs: Outputs) -> Head:
        """The head that made the logits. Raises NotApplicableError where the outputs came without one."""
        if outputs.head is None:
            raise NotApplicableError(f"{self.name} needs the head that made the logits; these outputs hold the logits alone")
        return outputs.head

    def probed(self, outputs: Outputs) -> Tensor:
        """What its probe found, (N, …). Raises NotApplicableError where the probe did not or could not run on these images."""
        name = self.probe()
        assert name is not None
        try:
            return outputs.extra(name)  # noqa: S610 (nothing to do with Django)
        except OutputsError as error:
            if name in outputs.obstacles:
                reason = outputs.obstacles[name]
                raise NotApplicableError(f"{self.name} needs a probe that can't serve here: {reason}") from error
            remedy = f"name it, --scorer {self.spec()}, or extract(…, probes=[{name!r}])"
            raise NotApplicableError(f"{self.name} needs a probe, the network run again on each image: {remedy}") from error

    def require(self, condition: bool, expected: str) -> None:
        """Raise UsageError with what the settings are and what was ``expected``, unless ``condition`` holds."""
        if not condition:
            given = ", ".join(f"{name}={value}" for name, value in self._given().items())
            raise UsageError(f"{self.name} expects {expected}, got {given}")

    def _given(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]  # every subclass is a dataclass

    def _fit(self, outputs: Outputs) -> State:
        return {}

    @abstractmethod
    def _score(self, chunk: Outputs) -> Tensor:
        """(n,) scores of one chunk, whose features (n, D) and logits (n, C) are in memory; float64 where that is cheap."""


def require_fitted(scorer: Scorer) -> None:
    """Raise NotFittedError where the scorer has yet to learn."""
    if scorer.fits_on is not None and scorer.state is None:
        raise NotFittedError(f"{scorer.name} has not been fitted: call fit(outputs of ID {scorer.fits_on} images) first")
