"""ROC curves of the best scorers against one OOD set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from oodkit.report.pictures.palette import INK, SCORERS
from oodkit.report.pictures.svg import SMALL, label, picture, plot_area

TICKS = np.array([0, 1, 5, 10, 25, 50, 100])  # percent
MARGINS = {"left": 42, "right": 14, "bottom": 38, "top": 8}
SIDE = 274  # points


def roc_svg(curves: Sequence[Mapping[str, Any]], ood_set: str) -> str:
    """The entries of a model's ``roc`` for one OOD set, best scorer first: how much of ID stays at how much OOD let through.

    Both axes grow with the square root of the errors, OOD accepted and ID rejected. Linear ones leave good scorers, with AUROCs
    near 1, to one corner of the picture; so do those where the x axis alone is stretched, just where 95 % of ID are accepted.
    The roots keep 0 and 100 %, which logarithms would not, and treat the two errors alike. Chance, elsewhere the diagonal, is then
    a quarter of a circle.
    """
    from matplotlib.ticker import FixedLocator

    def draw(figure: Any) -> None:
        axes = plot_area(figure, **MARGINS)
        axes.set_xscale("function", functions=(np.sqrt, np.square))
        axes.set_yscale("function", functions=(lambda y: -np.sqrt(100 - y), lambda root: 100 - root**2))
        axes.set(xlim=(0, 100), ylim=(0, 100))
        axes.xaxis.set_major_locator(FixedLocator(TICKS))
        axes.yaxis.set_major_locator(FixedLocator(100 - TICKS))
        chance = 100 * np.sin(np.linspace(0, np.pi / 2, 60)) ** 2
        axes.plot(chance, chance, color=INK, alpha=0.4, linewidth=0.8)
        axes.axhline(95, color=INK, alpha=0.4, linewidth=0.8)
        lines = [[100 * np.asarray(curve[key]) for key in ("ood_accepted", "id_accepted")] for curve in curves]
        for curve, (x, y), (colour, dash) in reversed(list(zip(curves, lines, SCORERS, strict=False))):
            axes.plot(x, y, color=colour, linestyle=dash, linewidth=1.8, label=label(curve["scorer"], columns=28))
        axes.set_xlabel("OOD accepted, percent")
        axes.set_ylabel("ID accepted, percent")
        corner_is_free = all((y >= x - 5).all() for x, y in lines)
        axes.legend(reverse=True, loc="lower right" if corner_is_free else "best")
        if corner_is_free:
            axes.text(0.99, 0.37, "chance", transform=axes.transAxes, ha="right", fontsize=SMALL, alpha=0.7)

    return picture(draw, SIDE + MARGINS["bottom"] + MARGINS["top"], f"ROC curves of ID against {ood_set}")
