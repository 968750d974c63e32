"""A row of density for each image set."""

import re
from xml.etree import ElementTree as ET

import pytest

from oodkit.report.pictures import ridges_svg
from oodkit.report.pictures.palette import GROUPS, ID
from oodkit.report.pictures.ridges import MARGINS, PEAK, ROW
from oodkit.report.pictures.svg import WIDTH

SVG = "{http://www.w3.org/2000/svg}"
EDGES = [number / 4 for number in range(49)]  # 0 to 12


def hump(at, width=6):
    return [max(0.0, 1 - abs(number - at) / width) / width * 4 for number in range(48)]


def density(sets, **other):
    return {"scorer": "mls", "title": "Maximum logit", "model": "resnet<50>", "edges": EDGES, "sets": sets, **other}


def texts(svg):
    return [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]


def lines(svg, colour):
    return [one.get("d") for one in ET.fromstring(svg).iter(f"{SVG}path") if one.get("stroke") == colour]


def places(path):
    """The points of a path of relative steps."""
    x = y = 0.0
    found = []
    for letter, numbers in re.findall(r"([Mlhv])([^Mlhv]*)", path):
        values = [float(value) for value in re.findall(r"-?[\d.]+", numbers)]
        right, down = values if letter in "Ml" else (values[0], 0) if letter == "h" else (0, values[0])
        x, y = (right, down) if letter == "M" else (x + right, y + down)
        found.append((x, y))
    return found


def test_rows_are_named_id_first_then_each_ood_set_with_its_group():
    svg = ridges_svg(density({"ID": hump(30), "ninco": hump(20), "dtd": hump(10)}), {"ninco": "near", "dtd": "far"})
    assert [text for text in texts(svg) if text in {"ID", "ninco", "dtd", "near", "far"}] == ["ID", "ninco", "near", "dtd", "far"]
    assert len(lines(svg, GROUPS["near"])) == len(lines(svg, GROUPS["far"])) == 1


def test_the_outline_of_the_id_images_is_repeated_over_every_ood_set():
    svg = ridges_svg(density({"ID": hump(30), "ninco": hump(20), "dtd": hump(10)}))
    own, *ghosts = [places(path) for path in lines(svg, ID)]
    assert len(ghosts) == 2
    for row, ghost in enumerate(ghosts, 1):
        assert [x for x, _ in ghost] == pytest.approx([x for x, _ in own], abs=0.02)
        assert [y - row * ROW for _, y in ghost] == pytest.approx([y for _, y in own], abs=0.02)


def test_a_row_peaks_where_its_set_does():
    """Bin 30 of 0.25 each has its middle at 7.625 of 12, and the picture goes on for half a bin at either end.

    The row's floor lies one row below the top, its peak PEAK above that.
    """
    x, y = min(places(lines(ridges_svg(density({"ID": hump(30)})), ID)[0]), key=lambda place: place[1])
    assert x == pytest.approx(MARGINS["left"] + 7.75 / 12.25 * (WIDTH - MARGINS["left"] - MARGINS["right"]), abs=0.02)
    assert y == pytest.approx(MARGINS["top"] + ROW - PEAK, abs=0.02)


def test_a_set_in_a_single_bin_flattens_no_other():
    spike = [4.0 if number == 20 else 0.0 for number in range(48)]
    svg = ridges_svg(density({"ID": hump(30), "constant": spike, "empty": [0.0] * 48}))
    tops = [min(y for _, y in places(path)) for path in (*lines(svg, ID)[:1], *lines(svg, GROUPS["far"]))]
    assert tops == pytest.approx([MARGINS["top"] + ROW - PEAK, MARGINS["top"] + 2 * ROW - PEAK, MARGINS["top"] + 3 * ROW], abs=0.02)


def test_the_axis_is_named_after_the_scorer():
    assert "maximal logit" in texts(ridges_svg(density({"ID": hump(3)})))
    assert "KNN $k$ <b>" in texts(ridges_svg(density({"ID": hump(3)}, scorer="knn", title="KNN $k$ <b>")))


def test_large_scores_have_their_power_of_ten_in_the_axis_name():
    edges = [1e6 * edge for edge in EDGES]
    assert "Residual, × 1e7" in texts(ridges_svg(density({"ID": hump(3)}, scorer="residual", title="Residual", edges=edges)))


def test_twelve_sets_stay_small():
    svg = ridges_svg(density({"ID": hump(30), **{f"a set of images {number}": hump(number * 3) for number in range(12)}}))
    assert len(svg.encode()) < 25_000


def test_the_pictures_name_tells_what_it_shows():
    svg = ridges_svg(density({"ID": hump(3), "ninco": hump(3)}))
    assert ET.fromstring(svg)[0].text == "Densities, maximal logit, resnet<50>: ID against ninco"


def test_an_outline_that_is_high_in_its_last_bin_goes_down_to_the_row_s_floor():
    """Scores that end all at once are not to look cut off."""
    path = places(lines(ridges_svg(density({"ID": [0.0] * 47 + [4.0]})), ID)[0])
    floor = MARGINS["top"] + ROW
    assert path[-1] == pytest.approx((WIDTH - MARGINS["right"], floor), abs=0.05)
    assert min(y for _, y in path) == pytest.approx(floor - PEAK, abs=0.02)
