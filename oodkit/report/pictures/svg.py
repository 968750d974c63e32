"""A matplotlib figure as SVG that stands in a page: small, without ids or styles of its own, in the page's ink and letters."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from warnings import catch_warnings, filterwarnings
from xml.etree import ElementTree as ET

from oodkit.wording import printable

WIDTH = 330  # points; a phone's width shows the letters at their own size, as CSS pixels
LETTERS = 10  # points
SMALL = 9  # points: ticks and what only explains

_RC: dict[Any, Any] = {  # matplotlib types the keys as one long Literal
    "svg.fonttype": "none",
    "font.size": LETTERS,
    "text.parse_math": False,
    "axes.formatter.useoffset": False,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelsize": LETTERS,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "lines.solid_capstyle": "butt",
}
_NOT_IN_XML = {"\ufffe": r"\ufffe", "\uffff": r"\uffff"}
_IS_DEFAULT = {("font-size", f"{LETTERS}"), ("fill", "#000000"), ("stroke-dashoffset", "0"), ("stroke-width", "1")}


def picture(draw: Callable[[Any], None], height: float, title: str) -> str:
    """What ``draw`` puts on a figure of WIDTH times ``height`` points, as SVG text with ``title`` as its accessible name.

    It has no ids, so that any number of pictures stand in one page; hence matplotlib's clipping is lost: draw within the axes.
    Black becomes currentColor, letters are the page's. No part of the title or of a text becomes markup.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(_RC), catch_warnings():
        # the browser draws the letters, in fonts of its own
        filterwarnings("ignore", "Glyph .* missing from font")
        filterwarnings("ignore", "Matplotlib currently does not support .* natively")
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        FigureCanvasSVG(figure)
        draw(figure)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return _for_the_page(ET.fromstring(text.getvalue()), height, title)  # noqa: S314 (matplotlib's own output)


def plot_area(figure: Any, *, left: float, right: float, bottom: float, top: float) -> Any:
    """Axes that leave these margins, in points: set by hand, so that pictures side by side align."""
    width, height = 72 * figure.get_size_inches()
    return figure.add_axes((left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height))


def label(name: str, columns: int = 48) -> str:
    """A name from outside as it may stand in a picture: printable, and cut where it is wider than so many Latin letters."""
    shown = "".join(_NOT_IN_XML.get(char, char) for char in printable(name))
    width = 0
    for end, char in enumerate(shown):
        width += 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
        if width > columns:
            return f"{shown[: max(end - 1, 1)]}…"
    return shown


def _for_the_page(root: ET.Element, height: float, title: str) -> str:
    attributes = {"viewBox": f"0 0 {WIDTH} {height:g}", "role": "img", "font-size": f"{LETTERS}", "fill": "currentColor"}
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **attributes, "stroke-linejoin": "round"})
    ET.SubElement(svg, "title").text = label(title, columns=400)
    svg.extend(_shapes(root))
    return ET.tostring(svg, encoding="unicode")


def _shapes(root: ET.Element) -> Iterator[ET.Element]:
    """The paths, markers and texts in the order they are drawn; markers in full, as references would need ids."""
    svg = "{http://www.w3.org/2000/svg}"
    markers = {marker.get("id"): marker for marker in root.iterfind(f".//{svg}defs/{svg}path")}
    for element in root.iter():
        style = _style(element)
        if element.tag == f"{svg}text":
            yield _text(element, style)
        elif element.tag == f"{svg}path" and element not in markers.values():
            yield from _path(element.get("d", ""), style)
        elif element.tag == f"{svg}use":
            marker = markers[element.get("{http://www.w3.org/1999/xlink}href", "")[1:]]
            yield from _path(marker.get("d", ""), style | _style(marker), float(element.get("x", 0)), float(element.get("y", 0)))


def _style(element: ET.Element) -> dict[str, str]:
    pairs = (pair.partition(":") for pair in element.get("style", "").split(";"))
    return {name.strip(): value.strip().removesuffix("px") for name, _, value in pairs if name.strip() != "font-family" and value}


def _attributes(style: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in style.items() if (name, value) not in _IS_DEFAULT}
    return {name: "currentColor" if value == "#000000" else _rounded(value) for name, value in kept.items()}


def _text(element: ET.Element, style: dict[str, str]) -> ET.Element:
    place = {name: _rounded(element.get(name, "")) for name in ("x", "y", "transform") if element.get(name)}
    if place.get("transform", "").startswith("rotate(-0 "):
        del place["transform"]
    text = ET.Element("text", place | _attributes(style))
    text.text = element.text
    return text


def _path(d: str, style: dict[str, str], x: float = 0, y: float = 0) -> Iterator[ET.Element]:
    if style.get("fill") != "none" or "stroke" in style:
        yield ET.Element("path", {"d": _short(d, x, y), **_attributes(style)})


def _rounded(value: str) -> str:
    """#rrggbb stays as it is: its digits have no point among them."""
    return re.sub(r"-?\d+\.\d+", lambda found: f"{round(float(found[0]), 2):g}", value)


def _short(d: str, x: float, y: float) -> str:
    """A path moved by (x, y), its steps relative and in hundredths of a point; rounding errors do not add up."""
    words, at = [], (0, 0)
    for command, numbers in re.findall(r"([MLCQz])([^MLCQz]*)", d):
        values = [round(100 * float(value)) for value in numbers.split()]
        points = [(a + round(100 * x), b + round(100 * y)) for a, b in zip(values[::2], values[1::2], strict=True)]
        words.append(_step(command, points, at))
        at = points[-1] if points else at
    return "".join(words)


def _step(command: str, points: list[tuple[int, int]], at: tuple[int, int]) -> str:
    if command == "z":
        return "z"
    if command == "M":
        return f"M{_numbers(*points[0])}"
    steps = [(a - at[0], b - at[1]) for a, b in points]
    if command != "L":
        return command.lower() + _numbers(*(number for step in steps for number in step))
    (right, down), *_ = steps
    if not (right and down):
        return (f"h{_numbers(right)}" if right else "") + (f"v{_numbers(down)}" if down else "")
    return f"l{_numbers(right, down)}"


def _numbers(*hundredths: int) -> str:
    return " ".join(f"{number / 100:g}" for number in hundredths).replace(" -", "-")
