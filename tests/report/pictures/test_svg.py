"""Pictures as they stand in a page: nothing that could clash with it, reach out of it or run in it."""

from xml.etree import ElementTree as ET

import pytest

from oodkit.report.pictures.svg import LETTERS, WIDTH, label, picture, plot_area

SVG = "{http://www.w3.org/2000/svg}"
MARKUP = "</text><script>alert(1)</script> &amp; $x_1$ ]]>"


def drawn(name="a set"):
    def draw(figure):
        axes = plot_area(figure, left=30, right=30, bottom=30, top=10)
        axes.plot([0, 1, 2], [0, 1, 0], "o--", color="#2a7fc9")
        axes.fill_between([0, 1, 2], 0, [1, 2, 1], color="#d55e00", alpha=0.3)
        axes.axhline(0.5, color="black", alpha=0.4)
        axes.text(1, 1, name)
        axes.set_ylabel(name)

    return picture(draw, 100, f"a picture of {name}")


def test_it_is_xml_of_paths_and_texts_alone_with_its_name_first():
    svg = ET.fromstring(drawn())
    assert svg.tag == f"{SVG}svg"
    assert svg[0].tag == f"{SVG}title"
    assert svg[0].text == "a picture of a set"
    assert {child.tag for child in svg[1:]} == {f"{SVG}path", f"{SVG}text"}
    assert all(len(child) == 0 for child in svg)


def test_it_scales_and_says_that_it_is_a_picture():
    svg = ET.fromstring(drawn())
    assert svg.get("viewBox") == f"0 0 {WIDTH} 100"
    assert svg.get("role") == "img"
    assert not {"width", "height"} & set(svg.attrib)


def test_nothing_in_it_can_clash_with_a_second_picture_or_leave_the_page():
    """Ids would clash, a style element would reach the whole page, and references need ids or addresses."""
    found = {name.rpartition("}")[2] for element in ET.fromstring(drawn()).iter() for name in element.attrib}
    assert found <= {
        *("viewBox", "role", "font-size", "fill", "fill-opacity", "opacity", "stroke", "stroke-width", "stroke-opacity"),
        *("stroke-linejoin", "stroke-linecap", "stroke-dasharray", "text-anchor", "d", "x", "y", "transform"),
    }


def test_black_is_the_pages_ink_and_letters_are_the_pages():
    text = drawn()
    assert "#000000" not in text
    assert "font-family" not in text
    assert ET.fromstring(text).get("fill") == "currentColor"
    assert 'stroke="currentColor"' in text
    assert 'stroke="#2a7fc9"' in text


def test_a_name_with_markup_stays_text():
    svg = ET.fromstring(drawn(MARKUP))
    assert svg[0].text == f"a picture of {MARKUP}"
    assert [one.text for one in svg.iter(f"{SVG}text")].count(MARKUP) == 2
    assert "<script" not in drawn(MARKUP)


@pytest.mark.parametrize("name", ["漢字", "مجموعة", "हिन्दी", "ไทย", "עברית", "😀", "e\u0301"])
def test_a_name_may_be_of_any_script(name):
    """matplotlib's own font lacks most; the browser draws the letters."""
    assert name in [one.text for one in ET.fromstring(drawn(label(name))).iter(f"{SVG}text")]


def test_what_no_xml_can_hold_is_spelled():
    spelled = r"\x1b[2J\x00\n\udcff\uffff\ufffe"
    assert label("\x1b[2J\x00\n\udcff\uffff\ufffe") == spelled
    assert ET.fromstring(drawn(label("\uffff")))[0].text == r"a picture of \uffff"


def test_a_long_name_is_cut_by_its_width():
    """Six columns hold six Latin letters or three Chinese signs, the last of them giving way to the ellipsis."""
    assert label("abcdef", columns=6) == "abcdef"
    assert label("abcdefg", columns=6) == "abcde…"
    assert label("漢字漢", columns=6) == "漢字漢"
    assert label("漢字漢字", columns=6) == "漢字…"


def paths(draw):
    return [one.get("d") for one in ET.fromstring(picture(draw, 100, "t")).iter(f"{SVG}path")]


def test_lines_are_short_and_where_they_were_drawn():
    """Axes over the whole picture of 330 × 100 points, y downwards; steps across and down have letters of their own."""

    def draw(figure):
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        axes.set(xlim=(0, 330), ylim=(0, 100))
        axes.plot([10, 20, 20, 50.5], [10, 10, 40, 60.25], color="red")

    assert paths(draw) == ["M10 90h10v-30l30.5-20.25"]


def test_a_marker_is_drawn_in_full_at_its_place():
    def draw(figure):
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        axes.set(xlim=(0, 330), ylim=(0, 100))
        axes.plot([100, 200], [50, 25], marker="s", markersize=4, markeredgewidth=0, linestyle="none", color="red")

    assert paths(draw) == ["M98 52h4v-4h-4z", "M198 77h4v-4h-4z"]


def test_rounding_errors_do_not_add_up():
    """A thousand steps of a third of a hundredth end where they should: three and a third points to the right."""

    def draw(figure):
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        axes.set(xlim=(0, 330), ylim=(0, 100))
        (line,) = axes.plot([number / 300 for number in range(1001)], [number % 2 for number in range(1001)], color="red")
        line.get_path().should_simplify = False

    (path,) = paths(draw)
    right = [float(step.split("-")[0].split(" ")[0].split("v")[0]) for step in path.replace("h", "l").split("l")[1:]]
    assert sum(right) == pytest.approx(1000 / 300, abs=0.01)


def test_the_same_picture_is_the_same_text():
    assert drawn() == drawn()


def test_letters_of_the_usual_size_do_not_repeat_it():
    assert f'font-size="{LETTERS}"' in drawn()
    assert drawn().count(f'font-size="{LETTERS}"') == 1
