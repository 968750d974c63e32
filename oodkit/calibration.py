"""A threshold that keeps its promise: split-conformal ranks among the scores of in-distribution images."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from oodkit.errors import UsageError

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of n ID images that no scorer learnt from, and the level alpha at which ID images may be rejected.

    scores: (n,) finite, in any order; kept sorted in float64. alpha: above 0 and below 1, the decimal number that it is written as.
    images: which they are of, for people. dtype: the precision that the network ran in, "float32", "bfloat16" or "float16"; in
    another one the scores are others, and the promise is not kept to the letter.

    A further ID image, exchangeable with those, is rejected with a probability of at most alpha: floor(alpha · (n + 1)) / (n + 1)
    where no scores are equal, less where some are. That is over the draw of both; of one calibration, the share of ID images that
    it rejects scatters about this with a standard deviation of about √(alpha · (1 − alpha) / n) (it is Beta(k, n + 1 − k)).
    Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; Vovk, ACML 2012, for the Beta law.
    Raises UsageError for no scores, scores that are not finite, and for another alpha.
    """

    scores: Array
    alpha: float = 0.05
    images: str = ""
    dtype: str = "float32"

    def __post_init__(self) -> None:
        require_alpha(self.alpha)
        scores = _numbers(self.scores)
        if scores.ndim != 1 or len(scores) == 0:
            raise UsageError(f"calibration takes the scores of at least one ID image, (n,), got {scores.shape}")
        if not np.isfinite(scores).all():
            raise UsageError(
                f"calibration scores are finite, got {np.count_nonzero(~np.isfinite(scores))} of {len(scores)} that are not"
            )
        object.__setattr__(self, "scores", np.sort(scores))
        object.__setattr__(self, "alpha", float(self.alpha))

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def rank(self) -> int:
        """The k of the k-th smallest score: floor(alpha · (n + 1)), exact: 0.29 · 100 is 29, not 28.999…"""
        return math.floor(Fraction(repr(self.alpha)) * (len(self.scores) + 1))

    @property
    def threshold(self) -> float:
        """The k-th smallest score; −inf, below which nothing lies, where k = 0."""
        return float(self.scores[self.rank - 1]) if self.rank else -math.inf

    def accepts(self, scores: npt.ArrayLike) -> Flags:
        """(N,) bool: score ≥ threshold, which is p-value > alpha. What is not finite is not accepted."""
        accepted: Flags = self._judged(scores)[1]
        return accepted

    def p_values(self, scores: npt.ArrayLike) -> Array:
        """(N,) float64: (1 + number of calibration scores ≤ score) / (n + 1), in (0, 1]; NaN where it is not finite.

        Small = unusual. Of ID images at most a share u has a p-value ≤ u, for every u.
        """
        p_values: Array = self._judged(scores)[0]
        return p_values

    def caution(self) -> str | None:
        """One line where there are too few scores for the level: then no image is ever rejected."""
        if self.rank:
            return None
        needed = math.ceil(1 / Fraction(repr(self.alpha))) - 1
        return f"{len(self.scores)} calibration images reject nothing at alpha {self.alpha:g}: give at least {needed}"

    def _judged(self, scores: npt.ArrayLike) -> tuple[Any, Any]:
        p_values, accepted = judged(torch.from_numpy(_numbers(scores)), torch.from_numpy(self.scores), self.threshold)
        return p_values.numpy(), accepted.numpy()


def judged(scores: Tensor, ranked: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """P-values (N,) float64 and what is accepted (N,) bool, of scores (N,) float64 and ``ranked``, those of a calibration (n,).

    A score that is not finite has NaN and is not accepted. The one place that has the rank: classes, detectors and graphs ask it.
    """
    finite = scores.isfinite()
    p_values = (1 + torch.searchsorted(ranked, scores, right=True)).double() / (1 + ranked.shape[0])
    return torch.where(finite, p_values, torch.nan), finite & (scores >= threshold)


def require_alpha(alpha: float) -> None:
    """Raise UsageError for an alpha that ``Calibration`` does not take."""
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < 1:
        raise UsageError(f"alpha, the share of ID images that may be rejected, lies above 0 and below 1, got {alpha!r}")


def _numbers(values: Any) -> Array:
    try:
        found = np.asarray(values)
        numbers = found.astype(np.float64) if found.dtype.kind in "fiu" else None
    except (TypeError, ValueError):
        numbers = None
    if numbers is None:
        raise UsageError(f"scores are an array of real numbers, got {type(values).__name__}")
    return numbers
