"""Mixed images between ID and OOD ones: two AUROCs along λ."""

from collections.abc import Mapping, Sequence
from typing import Any

from oodkit.report.pictures.palette import GROUPS, ID, INK
from oodkit.report.pictures.svg import label, picture, plot_area

MARGINS = {"left": 42, "right": 14, "bottom": 38}
PLOT, LINE = 190, 16  # points high


def mixed_svg(mixed: Mapping[str, Any]) -> str:
    """AUROC in percent along λ: ID against mixed images, and those against OOD ones, with intervals; the baseline's are dashed."""
    mean = label(mixed["rows"][-1]["auroc_ood"][-1]["ood_set"])

    top = LINE * (3 if mixed["baseline"] else 2)

    def draw(figure: Any) -> None:
        axes = plot_area(figure, top=top, **MARGINS)
        axes.axhline(50, color=INK, alpha=0.4, linewidth=0.8)
        for rows, line in ((mixed["baseline"] or [], "--"), (mixed["rows"], "-")):
            lambdas = [row["lambda"] for row in rows]
            for estimates, (colour, marker) in zip(_estimates(rows), ((ID, "o"), (GROUPS["near"], "s")), strict=False):
                values, low, high = ([100 * one[key] for one in estimates] for key in ("value", "low", "high"))
                own = {"marker": marker, "markersize": 4} if line == "-" else {}
                axes.plot(lambdas, values, line, color=colour, linewidth=1.8, **own)
                if own:
                    axes.fill_between(lambdas, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.set_xlabel("λ, the partner's share")
        axes.set_ylabel("AUROC, percent")
        axes.set_xlim(0, mixed["rows"][-1]["lambda"])
        _key(figure, mean, baseline=bool(mixed["baseline"]))

    title = f"AUROC of the maximal logit along λ: ID over mixed images, and mixed over OOD images ({mean})"
    return picture(draw, PLOT + MARGINS["bottom"] + top, title + (", with the baseline's" if mixed["baseline"] else ""))


def _estimates(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, float]]]:
    """By line, the AUROC at each λ; against OOD images that of the most general mean."""
    return [[row["auroc_id"] for row in rows], [row["auroc_ood"][-1]["auroc"] for row in rows]] if rows else []


def _key(figure: Any, mean: str, *, baseline: bool) -> None:
    from matplotlib.lines import Line2D

    lines = {
        "ID over mixed": Line2D([], [], color=ID, marker="o", markersize=4),
        f"mixed over OOD ({mean})": Line2D([], [], color=GROUPS["near"], marker="s", markersize=4),
    }
    if baseline:
        lines["the baseline's"] = Line2D([], [], color=INK, alpha=0.6, linestyle="--")
    figure.legend(list(lines.values()), list(lines), loc="upper left", ncols=2, borderaxespad=0.2)
