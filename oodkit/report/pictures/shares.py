"""Accuracy and AUROC along the share of the training images that the head was refitted on (Xiong et al., ICCV 2025, Figure 6)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from oodkit.metrics import Vector
from oodkit.report.pictures.palette import GROUPS, ID, INK
from oodkit.report.pictures.svg import WIDTH, label, picture, plot_area

LEFT, RIGHT = 46, 14  # points
LINE, PLOT, APART, LOW, AXIS = 16, 150, 14, 90, 40  # points: of the key, the AUROCs, what parts them, the accuracy, its axis
ROOM = 18  # points between ticks that both have their number
STYLES = ((ID, "o"), (GROUPS["near"], "s"), (GROUPS["far"], "D"))


def shares_svg(shares: Sequence[Mapping[str, Any]], summary: str) -> str:
    """AUROCs above, ID accuracy below, with intervals, against the share of the training images; 0 is the head as it was.

    The axis grows with the root of the share, so that small shares, where most happens, stand apart.
    """
    scorers = list(dict.fromkeys(scorer for one in shares for scorer in one["aurocs"]))[: len(STYLES)]
    top = LINE * max(len(scorers), 1) + 4
    height = top + PLOT + APART + LOW + AXIS

    def draw(figure: Any) -> None:
        above = plot_area(figure, left=LEFT, right=RIGHT, top=top, bottom=AXIS + LOW + APART)
        below = plot_area(figure, left=LEFT, right=RIGHT, top=top + PLOT + APART, bottom=AXIS)
        for scorer, (colour, marker) in zip(scorers, STYLES, strict=False):
            _curve(above, [(one["frac"], one["aurocs"][scorer]) for one in shares if scorer in one["aurocs"]], colour, marker)
        _curve(below, [(one["frac"], one["accuracy"]) for one in shares], INK, "o")
        _x_axes(above, below, [one["frac"] for one in shares])
        above.set_ylabel("AUROC, percent")
        below.set_ylabel("accuracy")
        below.set_xlabel("share of the training images, percent; 0: untouched")
        _key(figure, scorers, summary)

    shown = ", ".join(scorers)
    return picture(draw, height, f"{summary} AUROC of {shown} and ID accuracy against the share of the training images")


def _curve(axes: Any, points: Sequence[tuple[float, Mapping[str, float]]], colour: str, marker: str) -> None:
    x = _places([frac for frac, _ in points])
    values, low, high = (np.array([100 * one[key] for _, one in points]) for key in ("value", "low", "high"))
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(x, values, color=colour, marker=marker, markersize=4.5, linewidth=1.6)


def _places(fracs: Sequence[float]) -> Vector:
    return np.sqrt(np.clip(np.asarray(fracs, np.float64), 0.0, 1.0))  # a result from elsewhere may hold anything


def _x_axes(above: Any, below: Any, fracs: Sequence[float]) -> None:
    """Ticks at the shares themselves; of two whose numbers would lie on each other one has none."""
    places = _places(fracs)
    last = max(float(places[-1]), 0.1)
    width, told = WIDTH - LEFT - RIGHT, list[int]()
    for place in reversed(range(len(fracs))):  # the largest share is the one that was taken
        if not told or (places[told[-1]] - places[place]) * width / last >= ROOM:
            told.append(place)
    names = [f"{100 * frac:g}" if place in told else "" for place, frac in enumerate(fracs)]
    for axes in (above, below):
        axes.set_xlim(-0.03 * last, 1.03 * last)
        axes.set_xticks(places, names)
        axes.locator_params(axis="y", nbins=5 if axes is above else 3)
        axes.grid(axis="y", color=INK, alpha=0.12, linewidth=0.8)
    above.tick_params(labelbottom=False)


def _key(figure: Any, scorers: Sequence[str], summary: str) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=colour, marker=marker, markersize=4.5) for _, (colour, marker) in zip(scorers, STYLES, strict=False)
    ]
    names = [f"{label(summary)} AUROC of {label(scorer, columns=30)}" for scorer in scorers]
    if lines:
        figure.legend(lines, names, loc="upper left", borderaxespad=0.2)
