"""ROC curves of the best scorers against one OOD set."""

from xml.etree import ElementTree as ET

import pytest

from oodkit.report.pictures import roc_svg
from oodkit.report.pictures.palette import SCORERS
from oodkit.report.pictures.roc import MARGINS, PAD, SIDE

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ["vim", "knn:k=5", "<b>$x$", "ebo", "mls"]


def curve(scorer, at):
    return {"scorer": scorer, "ood_set": "ninco", "ood_accepted": [0, at[0], 1], "id_accepted": [0, at[1], 1]}


def curves(count=5):
    return [curve(name, (0.1 + 0.05 * rank, 0.9 - 0.05 * rank)) for rank, name in enumerate(NAMES[:count])]


def lines(svg, colour):
    return [one for one in ET.fromstring(svg).iter(f"{SVG}path") if one.get("stroke") == colour]


def test_every_scorer_has_its_line_and_is_named_best_first():
    svg = roc_svg(curves(), "ninco")
    texts = [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]
    assert [text for text in texts if text in NAMES] == NAMES
    for colour, _ in SCORERS:
        assert len(lines(svg, colour)) == 2, "the curve and its sample in the key"


def test_a_rank_keeps_its_colour_however_many_scorers_there_are():
    few, many = roc_svg(curves(2), "a"), roc_svg(curves(5), "b")
    for colour, _ in SCORERS[:2]:
        assert lines(few, colour)[0].get("d") == lines(many, colour)[0].get("d")


def test_both_axes_grow_with_the_root_of_the_error():
    """25 % of OOD accepted lie half way across, 25 % of ID rejected half way down."""
    (path, _) = lines(roc_svg([curve("vim", (0.25, 0.75))], "ninco"), SCORERS[0][0])
    left, bottom, half = MARGINS["left"] + PAD, MARGINS["top"] + SIDE - PAD, (SIDE - 2 * PAD) / 2
    assert path.get("d") == f"M{left} {bottom}l{half:g}-{half:g}l{half:g}-{half:g}"


def test_a_perfect_curve_lies_beside_the_frame():
    (path, _) = lines(roc_svg([curve("vim", (0, 1))], "ninco"), SCORERS[0][0])
    assert path.get("d") == f"M{MARGINS['left'] + PAD} {MARGINS['top'] + SIDE - PAD}v-{SIDE - 2 * PAD}h{SIDE - 2 * PAD}"


@pytest.mark.parametrize("at", [(0, 1), (0.9, 0.2), (0.5, 0.5)])
def test_perfect_and_useless_scorers_are_drawn_within_the_axes(at):
    svg = roc_svg([curve("vim", at)], "ninco")
    assert len(lines(svg, SCORERS[0][0])) == 2
    assert len(svg.encode()) < 25_000


def test_the_pictures_name_tells_the_set():
    assert ET.fromstring(roc_svg(curves(1), "a<b>\x1b"))[0].text == r"ROC curves of ID against a<b>\x1b"


def test_long_names_stand_whole_below_the_curves():
    """Scorers of one name differ by their settings, which a cut would hide."""
    short, long = (roc_svg([curve(name, (0.1, 0.9))], "a") for name in ("adascale-a", "adascale-a:percentile=80,k1=1,k2=5"))
    assert "adascale-a:percentile=80,k1=1,k2=5" in [one.text for one in ET.fromstring(long).iter(f"{SVG}text")]
    heights = [float(ET.fromstring(svg).get("viewBox").split()[3]) for svg in (short, long)]
    assert heights[0] < heights[1]
