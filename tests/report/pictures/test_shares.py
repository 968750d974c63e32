"""Accuracy and AUROC along the share of the training images."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from oodkit.report.pictures import shares_svg
from oodkit.report.pictures.shares import LEFT, RIGHT, ROOM
from oodkit.report.pictures.svg import WIDTH

SVG = "{http://www.w3.org/2000/svg}"


def estimate(value):
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def share(frac, scorers=("mls",)):
    return {"frac": frac, "accuracy": estimate(0.8 - 0.1 * frac), "aurocs": {name: estimate(0.7 + 0.1 * frac) for name in scorers}}


def ticks(svg, names):
    """By text where the numbers of the x axis stand: those on the lowest line of numbers."""
    found = [one for one in ET.fromstring(svg).iter(f"{SVG}text") if one.text in names]
    lowest = max(float(one.get("y")) for one in found)
    return {one.text: float(one.get("x")) for one in found if float(one.get("y")) == lowest}


def test_every_share_has_its_tick_and_the_axis_grows_with_the_root():
    """A quarter of the images stands half way to all of them."""
    placed = ticks(shares_svg([share(frac) for frac in (0, 0.05, 0.25, 1)], "mean"), {"0", "5", "25", "100"})
    assert list(placed) == ["0", "5", "25", "100"]
    assert placed["25"] - placed["0"] == pytest.approx((placed["100"] - placed["0"]) / 2, abs=5)


def test_numbers_that_would_lie_on_each_other_are_left_out_the_largest_share_first():
    placed = ticks(shares_svg([share(frac) for frac in (0, 0.8, 0.85, 0.9, 0.95, 1)], "mean"), {"0", "80", "85", "90", "95", "100"})
    assert {"0", "100"} <= set(placed)
    assert "95" not in placed
    places = sorted(placed.values())
    assert all(later - earlier > ROOM - 10 for earlier, later in pairwise(places))
    assert LEFT - 10 < places[0] < places[-1] < WIDTH - RIGHT + 10


def test_scorers_are_named_and_no_name_becomes_markup():
    svg = shares_svg([share(frac, ("mls", "<b>&")) for frac in (0, 0.1, 1)], "near mean")
    texts = [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]
    assert {"near mean AUROC of mls", "near mean AUROC of <b>&"} <= set(texts)
    assert ET.fromstring(svg).find(f"{SVG}title").text.startswith("near mean AUROC of mls, <b>& and ID accuracy")


def test_a_share_that_lacks_a_scorer_or_is_none_is_drawn_all_the_same():
    """A result from elsewhere may hold anything that its schema lets pass."""
    rows = [share(0), {**share(0.1), "aurocs": {}}, share(-0.5), share(2.0)]
    assert shares_svg(rows, "mean").startswith("<svg")
    assert shares_svg([{**one, "aurocs": {}} for one in rows], "mean").startswith("<svg")
