"""ROC curves of the best scorers against one OOD set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from oodkit.report.pictures.palette import INK, SCORERS
from oodkit.report.pictures.svg import SMALL, label, picture, plot_area

TICKS = (0, 1, 5, 10, 25, 50, 100)  # percent
MARGINS = {"left": 42, "right": 14, "top": 8}
SIDE, AXIS = 274, 38  # points: of the square, and of what stands below it
SHORT, KEY_LINE = 16, 14  # a name so long has its place in the square's corner; where one is longer, the key stands below


def roc_svg(curves: Sequence[Mapping[str, Any]], ood_set: str) -> str:
    """The entries of a model's ``roc`` for one OOD set, best scorer first: how much of ID stays at how much OOD let through.

    Both axes grow with the square root of the errors, OOD accepted and ID rejected. Linear ones leave good scorers, with AUROCs
    near 1, to one corner of the picture; so do those where the x axis alone is stretched, just where 95 % of ID are accepted.
    The roots keep 0 and 100 %, which logarithms would not, and treat the two errors alike. Chance, elsewhere the diagonal, is then
    a quarter of a circle.
    """
    from matplotlib.ticker import FixedLocator

    names = [label(curve["scorer"], columns=56) for curve in curves]
    below = KEY_LINE * len(curves) if max(map(len, names)) > SHORT else 0

    def draw(figure: Any) -> None:
        axes = plot_area(figure, bottom=AXIS + below, **MARGINS)
        axes.set_xscale("function", functions=(np.sqrt, np.square))
        axes.set_yscale("function", functions=(lambda y: -np.sqrt(100 - y), lambda root: 100 - root**2))
        axes.set(xlim=(0, 100), ylim=(0, 100))
        axes.xaxis.set_major_locator(FixedLocator(TICKS))
        axes.yaxis.set_major_locator(FixedLocator([100 - tick for tick in TICKS]))
        chance = 100 * np.sin(np.linspace(0, np.pi / 2, 60)) ** 2
        axes.plot(chance, chance, color=INK, alpha=0.4, linewidth=0.8)
        axes.axhline(95, color=INK, alpha=0.4, linewidth=0.8)
        lines = [[100 * np.asarray(curve[key]) for key in ("ood_accepted", "id_accepted")] for curve in curves]
        for name, (x, y), (colour, dash) in reversed(list(zip(names, lines, SCORERS, strict=False))):
            axes.plot(x, y, color=colour, linestyle=dash, linewidth=1.8, label=name)
        axes.set_xlabel("OOD accepted, percent")
        axes.set_ylabel("ID accepted, percent")
        corner_is_free = all((y >= x - 5).all() for x, y in lines)
        if corner_is_free:
            axes.text(0.99, 0.37, "chance", transform=axes.transAxes, ha="right", fontsize=SMALL, alpha=0.7)
        if below:
            figure.legend(reverse=True, loc="lower left", borderaxespad=0)
        else:
            axes.legend(reverse=True, loc="lower right" if corner_is_free else "best")

    return picture(draw, MARGINS["top"] + SIDE + AXIS + below, f"ROC curves of ID against {ood_set}")
