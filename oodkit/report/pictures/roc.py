"""ROC curves of the best scorers against one OOD set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from oodkit.report.pictures.palette import INK, SCORERS
from oodkit.report.pictures.svg import SMALL, label, picture, plot_area

TICKS = (0, 1, 5, 10, 25, 50, 100)  # percent
MARGINS = {"left": 42, "right": 14, "top": 8}
SIDE, AXIS = 274, 38  # points: of the square, and of what stands below it
PAD = 6  # points between the square's sides and 0 or 100 %: a perfect scorer's curve would else lie on the frame
SHORT, KEY_LINE = 16, 14  # a name so long has its place in the square's corner; where one is longer, the key stands below


def roc_svg(curves: Sequence[Mapping[str, Any]], ood_set: str) -> str:
    """The entries of a model's ``roc`` for one OOD set, best scorer first: how much of ID stays at how much OOD let through.

    Both axes grow with the square root of the errors, OOD accepted and ID rejected. Linear ones leave good scorers, with AUROCs
    near 1, to one corner of the picture; so do those where the x axis alone is stretched, just where 95 % of ID are accepted.
    The roots keep 0 and 100 %, which logarithms and normal deviates would not, and treat the two errors alike. What it costs:
    chance, elsewhere the diagonal, is a quarter of a circle, and says so.
    """
    names = [label(curve["scorer"], columns=56) for curve in curves]
    below = KEY_LINE * len(curves) if max(map(len, names)) > SHORT else 0

    def draw(figure: Any) -> None:
        axes = plot_area(figure, bottom=AXIS + below, **MARGINS)
        beyond = PAD / (SIDE - 2 * PAD)
        axes.set(xlim=(-beyond, 1 + beyond), ylim=(-beyond, 1 + beyond))
        places = np.sqrt(np.array(TICKS) / 100)
        axes.set_xticks(places, [str(tick) for tick in TICKS])
        axes.set_yticks(1 - places, [str(100 - tick) for tick in TICKS])
        around = np.linspace(0, np.pi / 2, 60)
        axes.plot(np.sin(around), 1 - np.cos(around), color=INK, alpha=0.4, linewidth=0.8)
        axes.axhline(1 - np.sqrt(0.05), color=INK, alpha=0.4, linewidth=0.8)
        lines = [(np.sqrt(curve["ood_accepted"]), 1 - np.sqrt(1 - np.asarray(curve["id_accepted"]))) for curve in curves]
        for name, (x, y), (colour, dash) in reversed(list(zip(names, lines, SCORERS, strict=False))):
            axes.plot(x, y, color=colour, linestyle=dash, linewidth=1.8, label=name)
        axes.set_xlabel("OOD accepted, percent")
        axes.set_ylabel("ID accepted, percent")
        corner_is_free = all((np.hypot(x, 1 - y) <= 1.1).all() for x, y in lines)
        if corner_is_free:
            axes.text(0.66, 0.34, "chance", rotation=45, ha="center", va="center", fontsize=SMALL, alpha=0.7)
        if below:
            figure.legend(reverse=True, loc="lower left", borderaxespad=0)
        else:
            axes.legend(reverse=True, loc="lower right" if corner_is_free else "best")

    return picture(draw, MARGINS["top"] + SIDE + AXIS + below, f"ROC curves of ID against {ood_set}")
