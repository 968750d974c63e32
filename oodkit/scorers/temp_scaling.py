"""Temperature scaling."""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import FitsOn, Scorer, State
from oodkit.scorers.common.odds import log_odds
from oodkit.stats import not_finite, require_labels

WIDEST = 1e4  # how far T may lie from the spread of the logits, either way; found ones lie within a factor of 100
ROWS = 256  # at a time, whose probabilities stay in the processor's cache: three times as fast as ten times as many


@dataclass
class TempScaling(Scorer):
    """log p − log(1 − p), p = max_c softmax(z / T)_c, T where the ID validation labels are most likely; at least −log(C − 1).

    Guo, Pleiss, Sun and Weinberger, ICML 2017, arXiv 1706.04599, section 4.2; a calibration, which OpenOOD takes as a score.
    temperature: T above 0; None takes the optimum over the labelled ID validation images, and with a number nothing is learnt.
    Both presets agree. The log-odds rank as the probability p does, which is their sigmoid, and never tie confident images at 1.

    The negative log-likelihood is convex in 1 / T, so its optimum is found exactly, by bracketed Newton steps in float64. OpenOOD
    runs an optimiser that can stop far from it; to repeat its figures give the temperature where it stopped. Where every
    validation image is classified correctly the optimum runs to T → 0, and where the labels do not fit the logits at all to
    T → ∞: T is kept between s / 10⁴ and s · 10⁴, s the mean of max_c z_c − mean_c z_c, and a note says so.

    Fails where ``msp`` does; a temperature changes the ranking a little, for better or worse.
    """

    name = "temp_scaling"
    title = "Temperature scaling"
    paper = "arXiv:1706.04599"
    uses = "logits"
    fits_on = cast("FitsOn", "val")  # an instance with a temperature of its own learns from nothing

    temperature: float | None = None

    def __post_init__(self) -> None:
        self.require(self.temperature is None or self.temperature > 0, "a temperature above 0, or none")
        self.fits_on = "val" if self.temperature is None else None

    def caution(self, outputs: Outputs) -> str | None:
        end = _ENDS.get(int(self.state["end"])) if self.state else None
        return end and f"{end}; took T = {self.settings()['temperature']:.3g}"

    def _fit(self, outputs: Outputs) -> State:
        require_labels(outputs)
        temperature, end = _optimum(outputs.with_stored_logits())
        return {"temperature": torch.tensor(temperature, dtype=torch.float64), "end": torch.tensor(end)}

    def _score(self, chunk: Outputs) -> Tensor:
        return log_odds(chunk.logits.double() / self.settings()["temperature"])


_ENDS = {
    -1: "the validation images are classified too well for a best temperature, which runs to 0",
    1: "the validation labels do not fit the logits, so the best temperature runs to infinity; check the order of the classes",
}


def _optimum(val: Outputs) -> tuple[float, int]:
    """The most likely temperature, and which end of its range it ran into: −1 the lower one, 1 the upper one, 0 neither."""
    spread = sum(float((chunk.logits.amax(1).double() - chunk.logits.double().mean(1)).sum()) for chunk in val.chunks()) / len(val)
    if not math.isfinite(spread):
        raise not_finite("logits")
    if spread == 0:
        return 1.0, 0  # every temperature is as likely
    least, most = -math.log(WIDEST * spread), math.log(WIDEST / spread)
    where = _root(val, least, most)
    return math.exp(-where), int(where < least + 1e-3) - int(where > most - 1e-3)


def _root(val: Outputs, low: float, high: float) -> float:
    """The logarithm of 1 / T between low and high at which the likelihood has no slope; next to an end where it always has."""
    where, step = (low + high) / 2, high - low
    while True:
        slope, curvature = _slope_and_curvature(val, math.exp(where))
        low, high = (where, high) if slope <= 0 else (low, where)
        newton = where - float(slope / (curvature * math.exp(where)))
        converges = low <= newton <= high and abs(newton - where) <= step / 2
        following = newton if converges else (low + high) / 2
        step = abs(following - where)
        if step < 1e-6:  # the next one would be its square
            return following
        where = following


def _slope_and_curvature(val: Outputs, beta: float) -> tuple[Tensor, Tensor]:
    """Of the summed negative log-likelihood by β: Σ (E_p[z] − z_y) and Σ Var_p[z], p = softmax(β z)."""
    slope = curvature = torch.zeros((), dtype=torch.float64, device=val.device)
    for chunk in val.chunks(ROWS):
        logits = chunk.logits.double()
        logits = logits - logits.amax(1, keepdim=True)  # then a correct image never adds to the slope, whatever the rounding
        p = (beta * logits).softmax(1)
        mean, square = torch.linalg.vecdot(p, logits), torch.linalg.vecdot(p, logits.square())
        slope = slope + (mean - logits.gather(1, chunk.labels[:, None]).squeeze(1)).sum()
        curvature = curvature + (square - mean.square()).sum()
    return slope, curvature
