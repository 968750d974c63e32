"""Numbers as the reports' tables write them. Fractions come in, percent go out."""

from collections.abc import Mapping

from oodkit import wording
from oodkit.wording import DASH

Figure = Mapping[str, float] | None  # value, low, high


def number(figure: Figure | float, digits: int = 2, scale: float = 100, *, sign: bool = False) -> str:
    """A number, or the value of an estimate; see ``wording.number``."""
    return wording.number(figure["value"] if isinstance(figure, Mapping) else figure, digits, scale, sign=sign)


def limits(figure: Figure, digits: int = 2, scale: float = 100, *, sign: bool = False) -> str:
    """``91.20 to 93.40``; a dash for None."""
    return DASH if figure is None else " to ".join(number(figure[end], digits, scale, sign=sign) for end in ("low", "high"))


def with_interval(figure: Figure, digits: int = 2, scale: float = 100, *, sign: bool = False, unit: str = "") -> str:
    """``92.35 (91.20 to 93.40)``, or ``92.35 % (91.20 to 93.40)`` with ``unit=" %"``; a dash for None."""
    if figure is None:
        return DASH
    return f"{number(figure, digits, scale, sign=sign)}{unit} ({limits(figure, digits, scale, sign=sign)})"


def as_figure(comparison: Mapping[str, float]) -> dict[str, float]:
    """A difference as a figure with its interval."""
    return {"value": comparison["difference"], "low": comparison["low"], "high": comparison["high"]}


def signed(comparison: Mapping[str, float]) -> str:
    """A difference as ``+1.20 (−0.40 to 2.80)``: with the sign of itself alone, so that a table has room on 80 columns."""
    figure = as_figure(comparison)
    return f"{number(figure, sign=True)} ({limits(figure)})"


def interval(figure: Figure, digits: int = 2, scale: float = 100) -> str:
    """The interval in words; nothing for None."""
    return "" if figure is None else f"95 % interval {limits(figure, digits, scale)}"


def bracket(figure: Figure, digits: int = 2, scale: float = 100) -> str:
    """The interval in small: ``[91.20, 93.40]``; nothing for None."""
    return "" if figure is None else f"[{limits(figure, digits, scale).replace(' to ', ', ')}]"


def count(images: int) -> str:
    """A number of images: ``1,000``."""
    return f"{images:,}"


def sortable(value: float) -> str:
    """What a table sorts by: more digits than are shown."""
    return f"{value:.6g}"


def tint(value: float, metric: str) -> int:
    """How strongly a heat cell is tinted, from 0 at chance to 15, below chance to −15; squared, so that good figures differ."""
    lead = _lead_over_chance(value, metric)
    step = round(15 * min(1.0, abs(lead)) ** 2)
    return step if lead > 0 else -step


def rank_in_words(below: float, whom: str = "ID images") -> str:
    """Where a score stands among those of the ID images, of which the share ``below`` scores lower; not rounded to all or none."""
    if below in {0.0, 1.0}:
        return f"{'below' if below == 0 else 'above'} all {whom}"
    percent = min(99.9, 100 * max(below, 1 - below))
    return f"{'above' if below >= 0.5 else 'below'} {percent:.{0 if percent <= 99 else 1}f} % of {whom}"


def rank_among_others(below: float, images: int) -> str:
    """The same of one of the ``images`` ID images, which ties with itself in ``below``: where it stands among the others."""
    if images < 2:
        return "the only ID image"
    lower = round(2 * images * below) - 1  # in halves, as a tie counts
    return rank_in_words(min(max(lower / (2 * (images - 1)), 0.0), 1.0), "other ID images")


def _lead_over_chance(value: float, metric: str) -> float:
    """From 1 (perfect) over 0 (chance) downwards: of an AUROC, whose chance is 0.5, or of an FPR@95, whose chance is 0.95."""
    return 2 * value - 1 if metric == "auroc" else 1 - value / 0.95
