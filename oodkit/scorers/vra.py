"""Variational rectified activations."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.percentiles import column_percentiles, percentile
from oodkit.scorers.base import FitsOn, Scorer, State
from oodkit.scorers.common.shaping import against_negative_features


@dataclass
class Vra(Scorer):
    """log Σ_c exp of the logits of features bounded from both sides: lse(g(f) Wᵀ + b), g(f) = f in [α, β] and β above it.

    Xu, Lian, Liu and Tao, NeurIPS 2023, arXiv 2302.11716; zeroQiaoba/VRA, readme.md and quick_ood.py. Below α, OpenOOD raises
    f to α, and the paper's VRA-P erases it, g(f) = 0.
    low, high: where α and β come from, in the sense of ``bounds``; 10 and 90 under ``openood``, 60 and 90 under ``paper`` (the
    authors' CIFAR-10; they take 60 and 95 for CIFAR-100).
    bounds: ``joint``, percentiles (0–100) over all entries of all features (``openood``); ``each``, percentiles of each dimension
    by itself (``paper``); ``value``, activations as they are, and then nothing is learnt.
    below: what becomes of activations below α: ``raise``, α (``openood``), or ``erase``, 0 (``paper``).
    fits_on: ``val`` under ``openood``, ``train`` under ``paper``, none with ``bounds=value``.

    The authors' ImageNet ResNet-50 is ``vra:bounds=value,below=erase,low=0.5,high=1``; such values belong to one network.
    Under ``openood`` it equals ``react`` wherever α is 0, as after a ReLU that leaves a tenth of the activations at 0. Erasing
    takes every negative feature away; it warns where there are any.
    """

    name = "vra"
    title = "VRA"
    paper = "arXiv:2302.11716"
    uses = "both"
    presets: ClassVar = {"paper": {"low": 60.0, "high": 90.0, "bounds": "each", "below": "erase", "fits_on": "train"}}
    grid: ClassVar = {"high": (85.0, 90.0, 95.0, 99.0), "low": (1.0, 5.0, 10.0, 15.0)}

    low: float = 10.0
    high: float = 90.0
    bounds: Literal["joint", "each", "value"] = "joint"
    below: Literal["raise", "erase"] = "raise"
    fits_on: FitsOn = "val"

    def __post_init__(self) -> None:
        self.require(self.bounds in ("joint", "each", "value"), "bounds joint, each or value")
        self.require(self.below in ("raise", "erase"), "below raise or erase")
        self.require(self.low <= self.high, "low of at most high")
        if self.bounds == "value":
            self.fits_on = None
        else:
            self.require(self.low >= 0 and self.high <= 100, "percentiles between 0 and 100")
            self.require(self.fits_on is not None, "fits_on=train or val for percentiles, or bounds=value")

    def caution(self, outputs: Outputs) -> str | None:
        return against_negative_features(self.name, outputs)

    def _fit(self, outputs: Outputs) -> State:
        self.head_of(outputs)
        if self.bounds == "each":
            floor, ceiling = column_percentiles(outputs, (self.low, self.high))
        else:
            floor, ceiling = (torch.tensor(percentile(outputs, one), dtype=torch.float64) for one in (self.low, self.high))
        return {"floor": floor, "ceiling": ceiling}

    def _score(self, chunk: Outputs) -> Tensor:
        features = chunk.features
        floor, ceiling = self._bounds(features)
        raised = features.maximum(floor) if self.below == "raise" else torch.where(features < floor, 0, features)
        return self.head_of(chunk)(raised.minimum(ceiling)).double().logsumexp(1)

    def _bounds(self, like: Tensor) -> tuple[Tensor, Tensor]:
        if self.bounds == "value":
            return torch.tensor(self.low).to(like), torch.tensor(self.high).to(like)
        return self.learnt("floor", like).to(like), self.learnt("ceiling", like).to(like)
