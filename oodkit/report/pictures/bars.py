"""One figure of several sets of images as bars, with the line that real images stand at.

After Figure 3 of Zhang et al. (SIO, arXiv 2303.14531), which orders generators by their Fréchet distance.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from oodkit.report.pictures.palette import ID, INK, SYNTHETIC
from oodkit.report.pictures.svg import LETTERS, SMALL, label, picture, plot_area
from oodkit.wording import counted

ROW, THICK, KEY, AXIS, RIGHT = 24, 13, 22, 38, 14  # points: of a set, of its bar, above the bars and below them, and beside them
NAME = 20  # letters
LINE: dict[str, Any] = {"color": ID, "linewidth": 1.6, "linestyle": (0, (5, 2))}


class Bar(NamedTuple):
    """A set: its name, its figure, and the standard error of that, 0 where it has none."""

    name: str
    value: float
    error: float = 0.0


def bars_svg(bars: Sequence[Bar], floor: Bar, axis: str) -> str:
    """The sets one below the other in their order; ``floor`` is a line through all. Without sets there is no picture, but "".

    axis: what the figures are. A bar begins at 0, as only then its length is its figure.
    """
    if not bars:
        return ""
    names = [label(one.name, NAME) for one in bars]
    left = 12 + 0.58 * LETTERS * max(map(len, names))

    def draw(figure: Any) -> None:
        axes = plot_area(figure, left=left, right=RIGHT, bottom=AXIS, top=KEY)
        axes.set_ylim(len(bars) - 0.5, -0.5)
        every = [0.0, *(one.value + sign * one.error for one in (*bars, floor) for sign in (-1, 1))]
        room = 0.03 * (max(every) - min(every) or 1.0)
        axes.set_xlim(min(every) - (room if min(every) < 0 else 0), max(every) + room)
        axes.grid(axis="x", color=INK, alpha=0.12, linewidth=0.8)
        for place, one in enumerate(bars):
            axes.barh([place], [one.value], height=THICK / ROW, color=SYNTHETIC, alpha=0.8, linewidth=0)
            axes.plot([one.value - one.error, one.value + one.error], [place] * 2, color=INK, alpha=0.6, linewidth=1.2)
        axes.plot([floor.value] * 2, [-0.5, len(bars) - 0.5], **LINE)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0, labelsize=LETTERS)
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(axis)
        _key(figure, floor.name, errors=any(one.error for one in bars))

    sets = counted(len(bars), "set", "sets")
    return picture(draw, ROW * len(bars) + AXIS + KEY, f"{axis} of {sets} of synthetic images, and of real images")


def _key(figure: Any, floor: str, *, errors: bool) -> None:
    from matplotlib.lines import Line2D

    lines = {floor: Line2D([], [], **LINE)}
    lines |= {"± standard error": Line2D([], [], color=INK, alpha=0.6, linewidth=1.2)} if errors else {}
    figure.legend(list(lines.values()), list(lines), loc="upper left", ncols=2, borderaxespad=0.2, fontsize=SMALL)
