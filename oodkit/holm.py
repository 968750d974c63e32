"""p-values of many tests at once."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for as many tests, in their order (Holm, Scandinavian Journal of Statistics 1979, 6:65–70).

    The k-th smallest of m is multiplied by m − k + 1; none becomes smaller than one before it, nor larger than 1. Whatever is
    below 0.05 then holds for all of them together.
    """
    order = np.argsort(p_values, kind="stable")
    raised = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(one) for one in adjusted]
