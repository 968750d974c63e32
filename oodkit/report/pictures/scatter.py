"""Several models side by side: what they know of their classes against what they notice of other images."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from oodkit.report.pictures.palette import GROUPS, ID, INK
from oodkit.report.pictures.svg import SMALL, WIDTH, label, picture, plot_area
from oodkit.report.remarks import summary_result
from oodkit.wording import counted

MARGINS = {"left": 42, "right": 14, "top": 46}
ACROSS, PLOT = WIDTH - MARGINS["left"] - MARGINS["right"], 230  # points
AXIS = 40  # below the plot, its ticks and its name
LINE = 13  # of the key
APART = 14  # between the numbers above the plot
BESIDE = 9  # between the marks of models, however much alike
BEST, MLS = GROUPS["near"], ID

Figure = tuple[float, float, float]  # in percent: value, low, high


class Point(NamedTuple):
    """One model; what it is drawn from."""

    name: str
    best: str
    accuracy: Figure
    best_auroc: Figure
    mls_auroc: Figure


def scatter_svg(models: Sequence[Mapping[str, Any]]) -> str:
    """ID accuracy against the summary AUROC of each model's best scorer and of its maximal logit, with their intervals.

    Models are numbered from left to right and named in a key: names beside the marks would cover each other where accuracies are
    alike. Where these are so much alike that the intervals would reach beyond the picture, the axis's name tells how wide they are;
    where marks would lie on each other, they stand side by side, and the axis's name tells that too. Models without figures are
    left out; where none is left there is no picture, but an empty text.
    """
    points = sorted((point for model in models if (point := _point(model))), key=lambda point: point.accuracy)
    if not points:
        return ""
    summary = label(models[0]["summary"])
    accuracies = [point.accuracy for point in points]
    left, right = _limits(accuracies)
    wanted = [ACROSS * (value - left) / (right - left) for value, _, _ in accuracies]
    places = spread(wanted, BESIDE, ACROSS)
    moved = bool(np.abs(np.subtract(places, wanted)).max() > 1)
    bottom = AXIS + LINE * (len(points) + moved)
    height = bottom + PLOT + MARGINS["top"]

    def draw(figure: Any) -> None:
        axes = plot_area(figure, bottom=bottom, **MARGINS)
        bars_fit = all(left <= low and high <= right for _, low, high in accuracies)
        axes.set_xlim(left, right)
        axes.locator_params(axis="x", nbins=6)
        xs = [left + place / ACROSS * (right - left) for place in places]
        for point, x in zip(points, xs, strict=True):
            _model(axes, point, x, bar=bars_fit)
        axes.set_ylim(np.clip(axes.get_ylim(), 0, 100))
        widest = max(max(value - low, high - value) for value, low, high in accuracies)
        intervals = "" if bars_fit else f"; intervals up to ± {widest:.2g}"
        axes.set_xlabel(f"ID accuracy, percent{intervals}" + ("\nmodels of like accuracy stand side by side" if moved else ""))
        axes.set_ylabel(f"{summary} AUROC, percent")
        _numbers(axes, points, xs)
        _names(figure, points, height)
        _key(figure)

    return picture(draw, height, f"ID accuracy against {summary} AUROC of {counted(len(points), 'model', 'models')}")


def _point(model: Mapping[str, Any]) -> Point | None:
    best, mls = (summary_result(model, scorer) for scorer in (model["best"], "mls"))
    if not (best and mls and best["auroc"] and mls["auroc"]):
        return None
    return Point(model["name"], best["scorer"], *map(_percent, (model["accuracy"], best["auroc"], mls["auroc"])))


def _percent(estimate: Mapping[str, float]) -> Figure:
    return 100 * estimate["value"], 100 * estimate["low"], 100 * estimate["high"]


def _limits(accuracies: Sequence[Figure]) -> tuple[float, float]:
    """Of the x axis: around the intervals where there is room, else around the values alone, so that models stand apart.

    No accuracy is below 0 or above 100 %, nor is the axis.
    """
    values = [value for value, _, _ in accuracies]
    reach = max(high - low for _, low, high in accuracies) / 2 or 1.0
    between = max(values) - min(values)
    room = between * ACROSS / (1.5 * APART * len(values))
    beside = min(reach, max(room - between, 0) / 2) + between / 12 or reach
    return max(min(values) - beside, 0), min(max(values) + beside, 100)


def _model(axes: Any, point: Point, x: float, *, bar: bool) -> None:
    """Bars first, marks over them; best scorer and maximal logit differ in shape too."""
    _, left, right = point.accuracy
    axes.plot([x, x], [point.best_auroc[0], point.mls_auroc[0]], color=INK, alpha=0.6, linewidth=0.8)
    if bar:
        axes.plot([left, right], [point.best_auroc[0]] * 2, color=BEST, alpha=0.45, linewidth=1)
    for (_, low, high), colour in ((point.mls_auroc, MLS), (point.best_auroc, BEST)):
        axes.plot([x, x], [low, high], color=colour, alpha=0.35, linewidth=4)
    axes.plot([x], [point.mls_auroc[0]], **_mark(MLS, "o"))
    axes.plot([x], [point.best_auroc[0]], **_mark(BEST, "D"))


def _mark(colour: str, marker: str) -> dict[str, Any]:
    return {"color": colour, "marker": marker, "markersize": 6 if marker == "o" else 5, "linestyle": "none", "markeredgewidth": 0}


def _numbers(axes: Any, points: Sequence[Point], xs: Sequence[float]) -> None:
    """Above the plot, each with a line down to its model; in two rows by turns where one is too short for all."""
    crowded = APART * len(points) > ACROSS
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    width = ACROSS / (right - left)  # points for one percent
    places = spread([width * (x - left) for x in xs], APART, ACROSS)
    for number, (point, own, place) in enumerate(zip(points, xs, places, strict=True), 1):
        x = left + place / width
        mark = max(point.best_auroc[0], point.mls_auroc[0])
        axes.plot([x, own], [high, mark], color=INK, alpha=0.35, linewidth=0.6)
        axes.annotate(
            str(number),
            (x, high),
            (0, 14 if crowded and number % 2 == 0 else 5),
            textcoords="offset points",
            ha="center",
            fontsize=SMALL,
        )
    axes.set(xlim=(left, right), ylim=(low, high))


def spread(wanted: Sequence[float], apart: float, width: float) -> list[float]:
    """Ascending places moved as little as possible, in the least squares, until they are ``apart`` and within [0, ``width``].

    Less the room of those before them they must ascend: isotonic regression, by pooling neighbours. Where the width is too small
    for all, they are as far apart as it allows.
    """
    apart = min(apart, width / max(len(wanted) - 1, 1))
    pools: list[tuple[float, int]] = []
    for number, place in enumerate(wanted):
        mean, size = place - number * apart, 1
        while pools and pools[-1][0] > mean:
            before, others = pools.pop()
            mean, size = (mean * size + before * others) / (size + others), size + others
        pools.append((mean, size))
    moved = np.repeat([mean for mean, _ in pools], [size for _, size in pools])
    free = width - (len(wanted) - 1) * apart
    return [float(place) + number * apart for number, place in enumerate(np.clip(moved, 0, free))]


def _names(figure: Any, points: Sequence[Point], height: float) -> None:
    for number, point in enumerate(points, 1):
        y = (LINE * (len(points) - number) + 5) / height
        figure.text(20 / WIDTH, y, str(number), ha="right", fontsize=SMALL)
        figure.text(26 / WIDTH, y, f"{label(point.name, columns=44)}, best: {label(point.best, columns=14)}", fontsize=SMALL)


def _key(figure: Any) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], **_mark(BEST, "D")), Line2D([], [], **_mark(MLS, "o"))]
    figure.legend(lines, ["best scorer", "maximal logit"], loc="upper left", ncols=2, borderaxespad=0.2)
