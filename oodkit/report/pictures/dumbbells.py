"""Before and after a repair: where every scorer's AUROC was, and where it is."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from oodkit.report.pictures.palette import ID, INK
from oodkit.report.pictures.svg import LETTERS, SMALL, WIDTH, label, picture, plot_area
from oodkit.wording import counted

ROW, KEY, AXIS, RIGHT = 19, 22, 38, 14  # points: of a scorer, above them and below them, and beside them
NAME = 18  # letters
TICKS = (100, 99, 98, 95, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0)  # percent
ROOM = 20  # points between two ticks
BEFORE = {"marker": "o", "markerfacecolor": "none", "alpha": 0.8}
UNCHANGED = {"marker": "s", "alpha": 0.8}
AFTER = ID

Figure = tuple[float, float, float]  # value, low, high, as places on the axis


def dumbbells_svg(changes: Sequence[Mapping[str, Any]], summary: str) -> str:
    """The changes of one mean, one below the other in their order: before an open circle, after a diamond, their intervals.

    A scorer whose scores did not change has one mark. The axis grows with the root of the errors, 1 − AUROC, as those of a ROC
    curve's picture do: a single bad scorer would else leave all good ones in one corner. Without changes there is no picture, but
    an empty text.
    """
    if not changes:
        return ""
    names = [label(one["scorer"], columns=NAME) for one in changes]
    left = 12 + 0.58 * LETTERS * max(map(len, names))

    def draw(figure: Any) -> None:
        axes = plot_area(figure, left=left, right=RIGHT, bottom=AXIS, top=KEY)
        axes.set_ylim(len(changes) - 0.5, -0.5)
        for place, one in enumerate(changes):
            before, after = (_places(one[f"auroc_{name}"]) for name in ("before", "after"))
            if one["changed"]:
                axes.plot([before[0], after[0]], [place, place], color=INK, alpha=0.55, linewidth=0.9)
                _mark(axes, before, place, INK, width=1.5, **BEFORE)
                _mark(axes, after, place, AFTER, width=4, marker="D")
            else:
                _mark(axes, after, place, INK, width=4, **UNCHANGED)
        _x_axis(axes, WIDTH - left - RIGHT)
        axes.grid(axis="x", color=INK, alpha=0.12, linewidth=0.8)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0, labelsize=LETTERS)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"{label(summary)} AUROC, percent, stretched towards 100")
        _key(figure, changes)

    scorers = counted(len(changes), "scorer", "scorers")
    return picture(draw, ROW * len(changes) + AXIS + KEY, f"{summary} AUROC of {scorers} before and after the repair")


def _place(auroc: float) -> float:
    return 1 - math.sqrt(1 - min(max(auroc, 0.0), 1.0))


def _places(estimate: Mapping[str, float]) -> Figure:
    return _place(estimate["value"]), _place(estimate["low"]), _place(estimate["high"])


def _x_axis(axes: Any, width: float) -> None:
    """From a little below the lowest limit to 100 percent; of ticks that have no room beside each other the highest are kept."""
    low = max(min(axes.get_xlim()[0], 0.97), 0)
    axes.set_xlim(low, 1)
    told: list[float] = []
    for tick in TICKS:
        place = _place(tick / 100)
        if place >= low and (not told or (_place(told[-1] / 100) - place) * width / (1 - low) >= ROOM):
            told.append(tick)
    axes.set_xticks([_place(tick / 100) for tick in told], [f"{tick:g}" for tick in told])


def _mark(axes: Any, figure: Figure, place: int, colour: str, *, width: float, **style: Any) -> None:
    value, low, high = figure
    axes.plot([low, high], [place, place], color=colour, alpha=0.3, linewidth=width)
    axes.plot([value], [place], color=colour, markersize=5, linestyle="none", **style)


def _key(figure: Any, changes: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.lines import Line2D

    def line(**style: Any) -> Line2D:
        return Line2D([], [], markersize=5, linestyle="none", **style)

    marks = {}
    if any(one["changed"] for one in changes):
        marks = {"before": line(color=INK, **BEFORE), "after": line(color=AFTER, marker="D")}
    if not all(one["changed"] for one in changes):
        marks["unchanged"] = line(color=INK, **UNCHANGED)
    figure.legend(list(marks.values()), list(marks), loc="upper left", ncols=3, borderaxespad=0.2, fontsize=SMALL)
