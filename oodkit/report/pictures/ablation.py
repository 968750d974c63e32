"""Training recipes: what they do to accuracy and to OOD detection, and how far they shift the maximal logit.

After Figures 2, 3a and 5 of Xiong et al., ICCV 2025.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from oodkit.ablation import AS_TRAINED, AUGDELETED
from oodkit.report.pictures.palette import GROUPS, INK, RECIPES
from oodkit.report.pictures.placing import Point, boxes_of, is_far, nearest
from oodkit.report.pictures.svg import LETTERS, SMALL, WIDTH, label, picture, plot_area
from oodkit.wording import counted

Row = Mapping[str, Any]
LEFT, RIGHT, TOP, AXIS, PLOT = 42, 14, 22, 40, 290  # points: beside the plot, above it, below it, and its height
KEY = 38  # points above the plot of recipes: its key has two lines
ACROSS = WIDTH - LEFT - RIGHT
NAME = 24  # letters
HEAD = 14  # points: of the shortest arrow that shows where it points to
BAR, RECIPE = 11, 18  # points: of a bar, and of a recipe's name above its bars
BEFORE: dict[str, Any] = {"marker": "o", "markersize": 5.5, "markeredgewidth": 0}
AFTER: dict[str, Any] = {"marker": "D", "markersize": 4.8, "markeredgewidth": 0}
ARROW = ((-1, -0.05), (0.35, -0.05), (0.35, -0.3), (1, 0), (0.35, 0.3), (0.35, 0.05), (-1, 0.05), (-1, -0.05))  # in the key
PALE: dict[str, Any] = {"alpha": 0.3, "linewidth": 1.6}


class Place(NamedTuple):
    """Of one recipe with one head the accuracy and the AUROC, in percent: mean and standard deviation."""

    x: float
    x_sd: float
    y: float
    y_sd: float


def recipes_svg(rows: Sequence[Row], scorer: str) -> str:
    """ID accuracy against a scorer's mean AUROC: a dot for each recipe, an arrow to where AugDelete takes it, in one colour.

    Pale crosses are standard deviations over the seeds. Where no recipe has scores, there is no picture, but an empty text.
    """
    places = {(row["recipe"], row["head"]): _place(row, scorer) for row in rows if "mean" in row["aurocs"].get(scorer, {})}
    recipes = [recipe for recipe, head in places if head == AS_TRAINED]
    if not recipes:
        return ""
    after = {recipe: places[recipe, AUGDELETED] for recipe in recipes if (recipe, AUGDELETED) in places}

    colours = {recipe: RECIPES[place % len(RECIPES)] for place, recipe in enumerate(recipes)}

    def draw(figure: Any) -> None:
        axes = plot_area(figure, left=LEFT, right=RIGHT, bottom=AXIS, top=KEY)
        _limits(axes, list(places.values()))
        axes.grid(color=INK, alpha=0.1, linewidth=0.8)
        for (recipe, _), place in places.items():
            _cross(axes, place, colours[recipe])
        for recipe, end in after.items():
            _arrow(axes, places[recipe, AS_TRAINED], end, colours[recipe])
        for (recipe, head), place in places.items():
            axes.plot([place.x], [place.y], linestyle="none", color=colours[recipe], **(AFTER if head == AUGDELETED else BEFORE))
        lines = [(places[recipe, AS_TRAINED], end) for recipe, end in after.items()]
        lines += [line for place in places.values() for line in _arms(place)]
        _names(axes, recipes, [places[recipe, AS_TRAINED] for recipe in recipes], list(after.values()), lines)
        axes.set_xlabel("ID accuracy, percent")
        axes.set_ylabel(f"{label(scorer, columns=20)}, mean AUROC, percent")
        _key(figure, several=any(one.x_sd or one.y_sd for one in places.values()))

    what = counted(len(recipes), "recipe", "recipes")
    return picture(draw, PLOT + KEY + AXIS, f"ID accuracy against the mean AUROC of {scorer} for {what}")


def shift_svg(rows: Sequence[Row], groups: Mapping[str, str]) -> str:
    """The shift ratio of each recipe on each OOD set as bars, with standard deviations; without any an empty text."""
    shown = [
        (row["recipe"], [(name, row["shift"][name]) for name in groups if name in row["shift"]]) for row in rows if row["shift"]
    ]
    shown = [(recipe, bars) for recipe, bars in shown if bars]
    if not shown:
        return ""
    left = 12 + 0.56 * SMALL * max(len(label(name, NAME)) for _, bars in shown for name, _ in bars)
    height = sum(RECIPE + BAR * len(bars) for _, bars in shown)

    def draw(figure: Any) -> None:
        axes = plot_area(figure, left=left, right=RIGHT, bottom=AXIS, top=TOP)
        axes.set_ylim(height, 0)
        y, ticks = 0.0, dict[float, str]()
        for recipe, bars in shown:
            start = (2 - left) / (WIDTH - left - RIGHT)
            axes.text(start, y + RECIPE - 5, label(recipe, 48), transform=axes.get_yaxis_transform(), fontsize=LETTERS)
            axes.plot([0, 0], [y + RECIPE, y + RECIPE + BAR * len(bars)], color=INK, alpha=0.6, linewidth=0.8)
            for place, (name, ratio) in enumerate(bars):
                middle = y + RECIPE + BAR * (place + 0.5)
                _bar(axes, middle, ratio, GROUPS[groups[name]])
                ticks[middle] = label(name, NAME)
            y += RECIPE + BAR * len(bars)
        axes.set_yticks(list(ticks), list(ticks.values()))
        axes.tick_params(axis="y", length=0, labelsize=SMALL)
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x", color=INK, alpha=0.12, linewidth=0.8)
        axes.set_xlabel("shift ratio; to the right ID fell more than OOD")
        _groups_key(figure, [groups[name] for _, bars in shown for name, _ in bars])

    what = counted(len(shown), "recipe", "recipes")
    return picture(draw, height + AXIS + TOP, f"Shift ratio of the maximal logit for {what} on each OOD set")


def _place(row: Row, scorer: str) -> Place:
    auroc = row["aurocs"][scorer]["mean"]
    return Place(*(100 * row["accuracy"][key] for key in ("mean", "sd")), *(100 * auroc[key] for key in ("mean", "sd")))


def _limits(axes: Any, places: Sequence[Place]) -> None:
    """About the marks and their bars, with room for names beside them; no percentage is below 0 or above 100."""
    for setter, room, values, sds in (
        (axes.set_xlim, 0.24, [one.x for one in places], [one.x_sd for one in places]),  # names are wider than high
        (axes.set_ylim, 0.14, [one.y for one in places], [one.y_sd for one in places]),
    ):
        low, high = float(np.min(np.subtract(values, sds))), float(np.max(np.add(values, sds)))
        beside = room * (high - low) or 1.0
        setter(max(low - beside, 0), min(high + beside, 100 + 0.3 * beside))


def _arms(place: Place) -> list[tuple[Place, Place]]:
    """The two lines of the cross from one standard deviation below to one above."""
    left, right = place._replace(x=place.x - place.x_sd), place._replace(x=place.x + place.x_sd)
    low, high = place._replace(y=place.y - place.y_sd), place._replace(y=place.y + place.y_sd)
    return [(left, right), (low, high)]


def _cross(axes: Any, place: Place, colour: str) -> None:
    """Cut where the plot ends: a standard deviation may reach beyond 100 percent."""
    for start, end in _arms(place):
        across, up = np.clip([start.x, end.x], *axes.get_xlim()), np.clip([start.y, end.y], *axes.get_ylim())
        axes.plot(across, up, color=colour, **PALE)


def _arrow(axes: Any, start: Place, end: Place, colour: str) -> None:
    """Without its head where the marks all but touch."""
    (x, y), (to_x, to_y) = _in_points(axes, [start, end])
    head = "-|>" if np.hypot(to_x - x, to_y - y) > HEAD else "-"
    style = {"arrowstyle": head, "mutation_scale": 8, "color": colour, "linewidth": 1.1, "shrinkA": 3, "shrinkB": 3}
    axes.annotate("", (end.x, end.y), (start.x, start.y), arrowprops=style)


def _in_points(axes: Any, places: Sequence[Place]) -> list[Point]:
    """From the plot's lower left corner."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    return [(ACROSS * (one.x - left) / (right - left), PLOT * (one.y - low) / (high - low)) for one in places]


def _names(
    axes: Any, recipes: Sequence[str], places: Sequence[Place], others: Sequence[Place], lines: Sequence[tuple[Place, Place]]
) -> None:
    """Beside their marks, off the other marks and the lines; with a line to a name that found no room there."""
    names = [label(recipe, NAME) for recipe in recipes]
    marks = _in_points(axes, places)
    along = [point for line in lines for point in _along(*_in_points(axes, line))]
    boxes = boxes_of(names, marks, [*_in_points(axes, others), *along], ACROSS, PLOT)
    for name, mark, box in zip(names, marks, boxes, strict=True):
        axes.text(box[0] / ACROSS, box[1] / PLOT + 0.2 * SMALL / PLOT, name, transform=axes.transAxes, fontsize=SMALL)
        if is_far(box, mark):
            x, y = zip(mark, nearest(box, mark), strict=True)
            axes.plot(np.divide(x, ACROSS), np.divide(y, PLOT), transform=axes.transAxes, color=INK, alpha=0.5, linewidth=0.6)


def _along(start: Point, end: Point) -> list[Point]:
    """Points of the line so close together that no name fits between two."""
    steps = np.linspace(0, 1, 2 + int(np.hypot(end[0] - start[0], end[1] - start[1]) / 8))[1:]
    return [(start[0] + step * (end[0] - start[0]), start[1] + step * (end[1] - start[1])) for step in steps]


def _bar(axes: Any, middle: float, ratio: Row, colour: str) -> None:
    axes.barh([middle], [ratio["mean"]], height=BAR - 3, color=colour, alpha=0.75, linewidth=0)
    axes.plot([ratio["mean"] - ratio["sd"], ratio["mean"] + ratio["sd"]], [middle] * 2, color=INK, alpha=0.5, linewidth=1.2)


def _key(figure: Any, *, several: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.path import Path

    arrow = {"marker": Path(ARROW, closed=True), "markersize": 15, "markeredgewidth": 0}
    cross = {"marker": "+", "markersize": 12, "markeredgewidth": PALE["linewidth"], "alpha": PALE["alpha"]}
    marks = {
        AS_TRAINED: BEFORE,
        AUGDELETED: AFTER,
        "what it does to a recipe": arrow,
    }
    marks |= {"± standard deviation": cross} if several else {}
    lines = [Line2D([], [], linestyle="none", color=INK, **style) for style in marks.values()]
    figure.legend(lines, list(marks), loc="upper left", ncols=2, borderaxespad=0.2)


def _groups_key(figure: Any, groups: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    there = [group for group in GROUPS if group in groups]
    patches = [Patch(facecolor=GROUPS[group], alpha=0.75, linewidth=0) for group in there]
    figure.legend(patches, [f"{group} OOD" for group in there], loc="upper left", ncols=2, borderaxespad=0.2)
