"""ROC curves of the best scorers against one OOD set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from oodkit.report.pictures.palette import INK, SCORERS
from oodkit.report.pictures.svg import label, picture, plot_area

TICKS = (0, 1, 5, 10, 25, 50, 100)  # percent, and 100 minus it on the other axis
MARGINS = {"left": 42, "right": 14, "bottom": 38, "top": 8}
SIDE = 274  # points


def roc_svg(curves: Sequence[Mapping[str, Any]], ood_set: str) -> str:
    """The entries of a model's ``roc`` for one OOD set, best scorer first: how much of ID stays at how much OOD let through."""

    def draw(figure: Any) -> None:
        axes = plot_area(figure, **MARGINS)
        axes.set_xscale("function", functions=(np.sqrt, np.square))
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        axes.plot(np.linspace(0, 10, 60) ** 2, np.linspace(0, 10, 60) ** 2, color=INK, alpha=0.35, linewidth=0.8)
        axes.axhline(95, color=INK, alpha=0.35, linewidth=0.8)
        for curve, (colour, dash) in reversed(list(zip(curves, SCORERS, strict=False))):
            x, y = (100 * np.asarray(curve[key]) for key in ("ood_accepted", "id_accepted"))
            axes.plot(x, y, color=colour, linestyle=dash, linewidth=1.8, label=label(curve["scorer"], columns=28))
        axes.set_xticks(TICKS)
        axes.set_xlabel("OOD accepted, percent")
        axes.set_ylabel("ID accepted, percent")
        axes.legend(reverse=True, loc="best")

    return picture(draw, SIDE + MARGINS["bottom"] + MARGINS["top"], f"ROC curves of ID against {ood_set}")
