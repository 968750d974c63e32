"""The report's pictures, drawn by matplotlib as SVG that stands in the page itself."""

from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any
from warnings import catch_warnings, filterwarnings

from oodkit.report.remarks import printable

COLOURS = ("#1b6ca8", "#d1495b", "#edae49", "#66a182", "#7a5195", "#00798c", "#8d6a9f", "#bc5090")
GREY = "#808080"  # to be seen on white as on black


def density_svg(model: Mapping[str, Any]) -> str:
    """Densities of the maximal logit, ID against each OOD set, as SVG."""
    densities = model["densities"]
    edges = densities["edges"]

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for (name, values), colour in zip(densities["sets"].items(), _colours(len(densities["sets"])), strict=True):
            axes.stairs(values, edges, color=colour, fill=True, alpha=0.18)
            axes.stairs(values, edges, color=colour, label=_label(name), linewidth=1.6)
        axes.set_xlabel("maximal logit")
        axes.set_ylabel("density")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_yticks([])
        axes.legend(frameon=False)

    return _svg(draw, size=(7, 2.6))


def mixed_svg(mixed: Mapping[str, Any]) -> str:
    """AUROC in percent along λ: ID against mixed images, and those against OOD images, as SVG; the baseline's are dashed."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.axhline(50, color=GREY, linewidth=0.8, linestyle=":")
        for rows, line in ((mixed["baseline"] or [], "--"), (mixed["rows"], "-")):
            lambdas = [row["lambda"] for row in rows]
            for (label, estimates), colour in zip(_mixed_lines(rows).items(), _colours(2), strict=False):
                values, low, high = ([100 * one[key] for one in estimates] for key in ("value", "low", "high"))
                axes.plot(lambdas, values, line, color=colour, linewidth=1.8, label=label if line == "-" else None)
                if line == "-":
                    axes.fill([*lambdas, *lambdas[::-1]], [*low, *high[::-1]], color=colour, alpha=0.18, linewidth=0)
        if mixed["baseline"]:
            axes.plot([], [], "--", color=GREY, linewidth=1.8, label="the baseline's")
        axes.set_xlabel("λ, the partner's share")
        axes.set_ylabel("AUROC, percent")
        axes.set_xlim(0, mixed["rows"][-1]["lambda"])
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper left", frameon=False)

    return _svg(draw, size=(4.6, 3.4))


def _mixed_lines(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, float]]]:
    if not rows:
        return {}
    mean = rows[-1]["auroc_ood"][-1]["ood_set"]
    return {
        "ID over mixed": [row["auroc_id"] for row in rows],
        f"mixed over OOD ({mean})": [row["auroc_ood"][-1]["auroc"] for row in rows],
    }


def _svg(draw: Callable[[Any], None], size: tuple[float, float]) -> str:
    """size: width and height in inches, at 9 points a letter; the page scales the whole to its width."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "oodkit", "font.family": "sans-serif", "font.size": 9, "text.parse_math": False}
    ):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        text = StringIO()
        with catch_warnings():
            filterwarnings("ignore", "Glyph .* missing from font")  # the browser draws the letters, in fonts of its own
            figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def _label(name: str) -> str:
    name = printable(name)
    return name if len(name) <= 32 else f"{name[:31]}…"


def _colours(count: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]
