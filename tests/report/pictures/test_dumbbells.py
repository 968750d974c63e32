"""Before and after a repair, scorer by scorer."""

from xml.etree import ElementTree as ET

import pytest

from oodkit.report.pictures import dumbbells_svg
from oodkit.report.pictures.dumbbells import RIGHT
from oodkit.report.pictures.palette import ID
from oodkit.report.pictures.svg import WIDTH

SVG = "{http://www.w3.org/2000/svg}"


def estimate(value):
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def change(scorer, before, after):
    return {"scorer": scorer, "auroc_before": estimate(before), "auroc_after": estimate(after), "changed": before != after}


CHANGES = [change("knn", 0.84, 0.84), change("mls", 0.72, 0.83), change("<b>$x$", 0.7, 0.6)]


def texts(svg):
    return [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]


def shapes(svg, **asked):
    return [one for one in ET.fromstring(svg).iter(f"{SVG}path") if all(one.get(key) == value for key, value in asked.items())]


def test_scorers_stand_in_their_order_from_above_and_no_name_becomes_markup():
    svg = dumbbells_svg(CHANGES, "mean")
    placed = {one.text: float(one.get("y")) for one in ET.fromstring(svg).iter(f"{SVG}text")}
    heights = [placed[one["scorer"]] for one in CHANGES]
    assert heights == sorted(heights)
    assert "<b>" not in svg


def test_only_what_changed_has_a_mark_of_its_own_for_after():
    """A filled diamond each, and the sample in the key."""
    assert len(shapes(dumbbells_svg(CHANGES, "mean"), fill=ID)) == 2 + 1
    assert len(shapes(dumbbells_svg(CHANGES[:1], "mean"), fill=ID)) == 0
    assert {"before", "after", "unchanged"} <= set(texts(dumbbells_svg(CHANGES, "mean")))
    assert "unchanged" not in texts(dumbbells_svg(CHANGES[1:], "mean"))
    assert "before" not in texts(dumbbells_svg(CHANGES[:1], "mean"))


def test_the_axis_does_not_go_beyond_100_percent():
    svg = dumbbells_svg([change("mls", 0.7, 0.99)], "far mean")
    assert "far mean AUROC, percent, stretched towards 100" in texts(svg)
    assert max(float(text) for text in texts(svg) if text.isdigit()) == 100


def test_the_axis_is_stretched_by_the_root_of_the_error():
    """96 % stand 0.2 from 100 %, and 84 % 0.4; ticks too near each other are left out, the highest kept."""
    svg = dumbbells_svg([change("a", 0.36, 0.84), change("b", 0.36, 0.96)], "mean")
    left = [WIDTH - RIGHT - float(one.get("d")[1:].split()[0]) for one in shapes(svg, fill=ID)]
    assert left[0] == pytest.approx(2 * left[1], rel=0.02)
    placed = texts(svg)
    assert {"100", "95", "80"} <= set(placed)
    assert "98" not in placed


def test_a_figure_beyond_all_bounds_is_drawn_at_its_end():
    """A result from elsewhere may hold anything that its schema lets pass."""
    assert dumbbells_svg([change("mls", -3.0, 2.0)], "mean").startswith("<svg")


def test_without_scorers_there_is_no_picture():
    assert dumbbells_svg([], "mean") == ""


def test_one_scorer_is_no_scorers():
    assert ET.fromstring(dumbbells_svg(CHANGES[:1], "mean"))[0].text == "mean AUROC of 1 scorer before and after the repair"
