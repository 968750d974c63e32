"""Numbers as the HTML report writes them. Fractions come in, percent go out."""

from collections.abc import Mapping

Figure = Mapping[str, float] | None  # value, low, high


def number(value: float | None, digits: int = 2, scale: float = 100) -> str:
    """The number times ``scale``, by default a fraction in percent, with a proper minus sign; a dash for None."""
    return "–" if value is None else f"{scale * value:.{digits}f}".replace("-", "−")


def interval(figure: Figure, digits: int = 2, scale: float = 100) -> str:
    """The interval in words; nothing for None."""
    return "" if figure is None else f"95 % interval {' to '.join(_ends(figure, digits, scale))}"


def bracket(figure: Figure, digits: int = 2, scale: float = 100) -> str:
    """The interval in small: ``[91.20, 93.40]``; nothing for None."""
    return "" if figure is None else f"[{', '.join(_ends(figure, digits, scale))}]"


def count(images: int) -> str:
    """A number of images: ``1,000``."""
    return f"{images:,}"


def sortable(value: float) -> str:
    """What a table sorts by: more digits than are shown."""
    return f"{value:.6g}"


def lead_over_chance(value: float, metric: str) -> float:
    """From 1 (perfect) over 0 (chance) downwards: of an AUROC, whose chance is 0.5, or of an FPR@95, whose chance is 0.95."""
    return 2 * value - 1 if metric == "auroc" else 1 - value / 0.95


def tint(value: float, metric: str) -> int:
    """How strongly a heat cell is tinted, from 0 at chance to 15, below chance to −15; squared, so that good figures differ."""
    lead = lead_over_chance(value, metric)
    step = round(15 * min(1.0, abs(lead)) ** 2)
    return step if lead > 0 else -step


def rank_in_words(below: float) -> str:
    """Where a score stands among those of the ID images, of which the share ``below`` scores lower; not rounded to all or none."""
    if below in {0.0, 1.0}:
        return f"{'below' if below == 0 else 'above'} all ID images"
    percent = min(99.9, 100 * max(below, 1 - below))
    return f"{'above' if below >= 0.5 else 'below'} {percent:.{0 if percent <= 99 else 1}f} % of ID images"


def _ends(figure: Mapping[str, float], digits: int, scale: float) -> list[str]:
    return [number(figure[end], digits, scale) for end in ("low", "high")]
