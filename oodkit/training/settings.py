"""The numbers of a training run."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from oodkit.errors import UsageError

SMALL = 64  # pixels: the side up to which images are trained as OpenOOD trains CIFAR's
Amp = Literal["no", "bf16", "fp16"]
Optimizer = Literal["sgd", "adamw"]


@dataclass(frozen=True)
class Settings:
    """How long, how fast and how often; the defaults are OpenOOD v1.5's for CIFAR.

    epochs: of as many steps as a pass over the real images takes where no others stand in the batches. batch_size: images a process
    in each step, real and synthetic together. lr: the largest learning rate. warmup: epochs of linear rise before the cosine.
    norm_weight_decay: of normalisation layers and biases, None = as the others. ema: keep an average of the weights, which then is
    the trained network. repeats: how often an image comes in a row of batches, augmented anew each time (repeated augmentation).
    alpha: the share of real images in each batch (SIO's α). outlier_batch: outliers a process in each step, None = twice as many as
    images. flip: mirror images at random. augdelete: refit the last layer afterwards by plain cross-entropy.

    Raises UsageError where a number lies outside its range.
    """

    epochs: int = 100
    batch_size: int = 128
    lr: float = 0.1
    weight_decay: float = 5e-4
    norm_weight_decay: float | None = None
    optimizer: Optimizer = "sgd"
    warmup: float = 0.0
    ema: bool = False
    amp: Amp = "no"
    repeats: int = 1
    alpha: float = 1.0
    outlier_batch: int | None = None
    flip: bool = True
    augdelete: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        self._require("epochs", self.epochs >= 1, "1 or more")
        self._require("batch_size", self.batch_size >= 2, "2 or more")
        self._require("lr", math.isfinite(self.lr) and self.lr > 0, "a number above 0")
        for name in ("weight_decay", "norm_weight_decay"):
            decay = 0.0 if getattr(self, name) is None else getattr(self, name)
            self._require(name, math.isfinite(decay) and decay >= 0, "0 or more")
        self._require("warmup", 0 <= self.warmup < self.epochs, f"0 or more, and less than the {self.epochs} epochs")
        self._require("repeats", self.repeats >= 1, "1 or more")
        self._require("alpha", 0 < self.alpha <= 1, "above 0 and at most 1")
        self._require("outlier_batch", self.outlier_batch is None or self.outlier_batch >= 1, "1 or more")
        self._require("seed", self.seed >= 0, "0 or more")

    def _require(self, name: str, fits: bool, expected: str) -> None:
        if not fits:
            raise UsageError(f"{name} must be {expected}, got {getattr(self, name)}")


def defaults_for(side: int) -> dict[str, Any]:
    """What OpenOOD v1.5 trains with at this side of the images, where it differs from ``Settings``."""
    return {} if side <= SMALL else {"epochs": 90, "batch_size": 256}
