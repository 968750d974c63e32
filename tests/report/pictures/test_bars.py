"""Sets of synthetic images as bars, and real images as a line through them."""

from xml.etree import ElementTree as ET

import pytest

from oodkit.report.pictures import Bar, bars_svg
from oodkit.report.pictures.palette import ID, SYNTHETIC

SVG = "{http://www.w3.org/2000/svg}"
BARS = [Bar("fitted", 2.0, 0.5), Bar("<b>$x$", 4.0, 0.5), Bar("dit", 1.0, 0.5)]
FLOOR = Bar("real against real", 3.0)


def texts(svg):
    return [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]


def drawn(svg, key, colour):
    return [one.get("d") for one in ET.fromstring(svg).iter(f"{SVG}path") if one.get(key) == colour]


def start_and_width(d):
    """Of a rectangle ``Mx yh…``: where it starts and how wide it is."""
    x = float(d[1:].replace("-", " -").split()[0])
    width = max(abs(float(step.replace("-", " -").split("v")[0].split("z")[0].split("l")[0])) for step in d.split("h")[1:])
    return x, width


def test_sets_stand_in_their_order_from_above_and_no_name_becomes_markup():
    svg = bars_svg(BARS, FLOOR, "Fréchet distance")
    placed = {one.text: float(one.get("y")) for one in ET.fromstring(svg).iter(f"{SVG}text")}
    heights = [placed[one.name] for one in BARS]
    assert heights == sorted(heights)
    assert "<b>" not in svg


def test_a_bar_is_as_long_as_its_figure_and_the_line_stands_at_the_floors():
    """Bars of 2, 4 and 1 begin at 0; a line at 3 is half as far again from there as the end of the bar of 2."""
    svg = bars_svg(BARS, FLOOR, "Fréchet distance")
    places = [start_and_width(d) for d in drawn(svg, "fill", SYNTHETIC)]
    assert [width / places[2][1] for _, width in places] == pytest.approx([2, 4, 1], rel=0.01)
    assert len({round(start, 1) for start, _ in places}) == 1
    line = next(d for d in drawn(svg, "stroke", ID) if "v" in d)
    assert float(line[1:].replace("-", " -").split()[0]) - places[0][0] == pytest.approx(1.5 * places[0][1], rel=0.01)


def test_errors_are_in_the_key_where_there_are_any():
    assert {"real against real", "± standard error", "kernel distance"} <= set(texts(bars_svg(BARS, FLOOR, "kernel distance")))
    bare = [one._replace(error=0) for one in BARS]
    assert "± standard error" not in texts(bars_svg(bare, FLOOR, "kernel distance"))


@pytest.mark.parametrize("value", [-0.5, 0.0])
def test_a_figure_below_zero_is_drawn_and_nothing_but_zero_too(value):
    svg = bars_svg([Bar("one", value)], Bar("real", 0.0), "kernel distance")
    assert len(drawn(svg, "fill", SYNTHETIC)) == 1
    assert any("0" in text for text in texts(svg))


def test_without_sets_there_is_no_picture():
    assert bars_svg([], FLOOR, "Fréchet distance") == ""


def test_one_set_is_no_sets():
    assert (
        ET.fromstring(bars_svg(BARS[:1], FLOOR, "coverage"))[0].text == "coverage of 1 set of synthetic images, and of real images"
    )
