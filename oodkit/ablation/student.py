"""Student's t of paired differences, for as few seeds as a training run can afford."""

import math
import statistics
from collections.abc import Sequence

from oodkit.ablation import Gain, Spread

ROUNDING = 1e-12  # of differences of fractions, which else lie an image apart at least


def spread_of(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of at least one value."""
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))


def paired_gain(values: Sequence[float], baseline: Sequence[float]) -> Gain:
    """Of at least one pair: the mean difference d̄ of the n pairs, d̄ ± t s/√n with s their standard deviation, and the p value.

    t: the 97.5 % point of Student's t with n − 1 degrees of freedom; p: two-sided, of d̄ √n / s. There is neither interval nor p of
    one pair, and none where all differences are the same, which tells nothing of their spread: on few images that is chance.
    Raises ValueError where the numbers differ.
    """
    found = spread_of([own - other for own, other in zip(values, baseline, strict=True)])
    if found.sd <= ROUNDING:
        return Gain(found.mean, None, None, None, found.n)
    error = found.sd / math.sqrt(found.n)
    reach = t_point(found.n - 1) * error
    p = max(0.0, 1 - probability_within(found.mean / error, found.n - 1))
    return Gain(found.mean, found.mean - reach, found.mean + reach, p, found.n)


def t_point(freedom: int, probability: float = 0.95) -> float:
    """The t for which P(|T| ≤ t) is the probability, which lies in (0, 1). By halving, to the last bit or so."""
    low, high = 0.0, 1.0
    while probability_within(high, freedom) < probability:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if probability_within(middle, freedom) < probability else (low, middle)
    return high


def probability_within(t: float, freedom: int) -> float:
    """P(|T| ≤ |t|) of Student's t with so many degrees of freedom, 1 or more: Abramowitz and Stegun, 26.7.3 and 26.7.4.

    Finite sums in θ = arctan(t/√ν): for even ν sin θ (1 + ½ cos² θ + (1·3)/(2·4) cos⁴ θ + …), for odd ν
    2/π (θ + sin θ (cos θ + ⅔ cos³ θ + …)), up to the power ν − 2. Right to about 1e-15, not beyond it in the tail.
    """
    angle = math.atan(abs(t) / math.sqrt(freedom))
    square, odd = math.cos(angle) ** 2, freedom % 2
    term, total = math.cos(angle) if odd else 1.0, 0.0
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= (power + 1) / (power + 2) * square
    within = math.sin(angle) * total
    return 2 / math.pi * (angle + within) if odd else within
