"""How one scorer's scores lie: a row of density for each image set."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from oodkit.report.pictures.palette import GROUPS, ID, INK
from oodkit.report.pictures.svg import SMALL, label, picture, plot_area

ROW = 36  # points
PEAK = 19  # points; the rest of a row is its name's line
MARGINS = {"left": 8, "right": 8, "bottom": 36, "top": 2}


def ridges_svg(density: Mapping[str, Any], groups: Mapping[str, str] | None = None) -> str:
    """One of a model's ``densities``: the ID images on top, below them each OOD set with the outline of the ID images over it.

    Every row is drawn to its own peak, since one narrow set would else flatten all others: compare where rows lie and what of
    them overlaps, not their heights. The outermost bins hold what lies beyond them too. Outlines go down to 0 half a bin further
    out, as where all ID scores end at once: the picture is whole, not cut. groups: "near" or "far" by OOD set.
    """
    edges, sets = density["edges"], density["sets"]
    title = "maximal logit" if density["scorer"] == "mls" else label(density["title"])
    names = [name for name in sets if name != "ID"]

    def draw(figure: Any) -> None:
        axes = plot_area(figure, **MARGINS)
        known = _outline(edges, sets["ID"])
        left, right = known[0][0], known[0][-1]
        axes.set_xlim(left, right)
        axes.set_ylim(0, ROW * (len(names) + 1))
        axes.grid(axis="x", color=INK, alpha=0.12, linewidth=0.8)
        for row, name in enumerate(["ID", *names]):
            bottom = ROW * (len(names) - row)
            group = "" if name == "ID" else (groups or {}).get(name, "")
            _ridge(axes, _outline(edges, sets[name]), bottom, GROUPS.get(group, GROUPS["far"]) if row else ID)
            if row:
                _line(axes, known, bottom, color=ID, linewidth=0.9, alpha=0.8)
            _name(axes, "ID" if name == "ID" else label(name), group, bottom)
        axes.hlines(range(0, ROW * (len(names) + 1), ROW), left, right, color=INK, alpha=0.4, linewidth=0.8)
        axes.locator_params(axis="x", nbins=5)
        axes.tick_params(left=False, labelleft=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_xlabel(title + _power_of_ten(axes.xaxis))

    height = ROW * (len(names) + 1) + MARGINS["bottom"] + MARGINS["top"]
    of = f"Densities, {title}, {density['model']}"
    return picture(draw, height, f"{of}: ID{' against ' if names else ''}{', '.join(names)}")


Outline = tuple[list[float], list[float]]


def _outline(edges: Sequence[float], density: Sequence[float]) -> Outline:
    """The density through the middles of its bins, from 0 before the first to 0 after the last, its peak at PEAK."""
    scale = PEAK / (max(density) or 1)
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    half = middles[0] - edges[0]
    return [edges[0] - half, *middles, edges[-1] + half], [0, *(scale * value for value in density), 0]


def _ridge(axes: Any, outline: Outline, bottom: float, colour: str) -> None:
    x, heights = outline
    axes.fill([x[0], *x, x[-1]], [bottom, *(bottom + height for height in heights), bottom], color=colour, alpha=0.3, linewidth=0)
    _line(axes, outline, bottom, color=colour, linewidth=1.5)


def _line(axes: Any, outline: Outline, bottom: float, **style: Any) -> None:
    x, heights = outline
    axes.plot(x, [bottom + height for height in heights], **style)


def _power_of_ten(axis: Any) -> str:
    """What matplotlib would write below the axis's end, where the letters of its name may be."""
    axis.get_offset_text().set_visible(False)
    axis.get_major_formatter().set_locs(axis.get_ticklocs())
    power = axis.get_major_formatter().get_offset()
    return f", × {power}" if power else ""


def _name(axes: Any, name: str, group: str, bottom: float) -> None:
    place = {"y": bottom + ROW - 4, "va": "top", "transform": axes.get_yaxis_transform()}
    axes.text(0, s=name, ha="left", **place)
    if group:
        axes.text(1, s=group, ha="right", fontsize=SMALL, alpha=0.7, **place)
