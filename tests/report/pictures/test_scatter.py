"""Models side by side."""

from xml.etree import ElementTree as ET

import pytest

from oodkit.report.pictures import scatter_svg
from oodkit.report.pictures.palette import GROUPS, ID
from oodkit.report.pictures.scatter import spread

SVG = "{http://www.w3.org/2000/svg}"


def estimate(value, reach=0.01):
    return {"value": value, "low": value - reach, "high": value + reach}


def model(name, accuracy, best=0.9, mls=0.8):
    rows = [("knn", best), ("mls", mls)]
    results = [{"scorer": scorer, "ood_set": "mean", "auroc": estimate(auroc)} for scorer, auroc in rows]
    return {"name": name, "accuracy": estimate(accuracy), "summary": "mean", "best": "knn", "results": results}


def texts(svg):
    return [one.text for one in ET.fromstring(svg).iter(f"{SVG}text")]


def filled(svg, colour):
    return [one for one in ET.fromstring(svg).iter(f"{SVG}path") if one.get("fill") == colour]


def test_places_apart_enough_stay():
    assert spread([0, 20, 50], 10, 100) == [0, 20, 50]


def test_places_too_close_move_evenly_to_both_sides():
    """Three wishes for 50 have their mean at 50; 48 and 52 need 10 between them and keep their middle."""
    assert spread([50, 50, 50], 10, 100) == [40, 50, 60]
    assert spread([48, 52, 80], 10, 100) == [45, 55, 80]


def test_places_stay_within_the_width():
    assert spread([0, 0, 99], 10, 100) == [0, 10, 99]
    assert spread([98, 100], 10, 100) == [90, 100]
    assert spread([5, 5, 5], 60, 100) == [0, 50, 100]
    assert spread([30], 10, 100) == [30]


def test_models_are_numbered_by_accuracy_and_named_with_their_best_scorer():
    svg = scatter_svg([model("strong", 0.9), model("<weak>", 0.7), model("fair", 0.8)])
    assert [text for text in texts(svg) if "best:" in text] == ["<weak>, best: knn", "fair, best: knn", "strong, best: knn"]
    assert [text for text in texts(svg) if text in {"1", "2", "3"}] == ["1", "2", "3"] * 2, "above the plot, and in the key"


def test_each_model_has_two_marks():
    svg = scatter_svg([model("a", 0.7), model("b", 0.8)])
    assert len(filled(svg, ID)) == len(filled(svg, GROUPS["near"])) == 3, "two models and the key"


def test_a_model_without_figures_is_left_out():
    empty = {**model("b", 0.8), "best": None}
    svg = scatter_svg([model("a", 0.7), empty])
    assert [text for text in texts(svg) if "best:" in text] == ["a, best: knn"]
    assert scatter_svg([empty]) == scatter_svg([]) == ""


@pytest.mark.parametrize("step", [0, 0.0001, 0.02])
def test_a_dozen_models_alike_or_not_stay_small_and_have_a_number_each(step):
    """Each number stands above the plot and in the key; ticks may show it once more."""
    svg = scatter_svg([model(f"net{number}", 0.7 + step * number) for number in range(12)])
    assert all(texts(svg).count(str(number)) >= 2 for number in range(1, 13))
    assert len(svg.encode()) < 25_000


def test_intervals_of_accuracies_much_alike_are_told_and_not_drawn():
    """Ten models within 0.1 points, each known to ± 1 point."""
    alike, apart = (scatter_svg([model(f"net{n}", 0.7 + step * n) for n in range(10)]) for step in (0.0001, 0.025))
    assert "ID accuracy, percent; intervals up to ± 1" in texts(alike)
    assert "ID accuracy, percent" in texts(apart)
    bars = [svg.count('stroke-opacity="0.45"') for svg in (alike, apart)]
    assert bars == [0, 10]


def test_models_of_one_accuracy_stand_side_by_side_and_the_axis_says_so():
    alike, apart = (scatter_svg([model("a", 0.9), model("b", other)]) for other in (0.9, 0.95))
    places = [[float(one.get("d").split()[0].lstrip("M")) for one in filled(svg, ID)[-3:-1]] for svg in (alike, apart)]
    assert all(abs(first - second) >= 8 for first, second in places)
    assert [("models of like accuracy stand side by side" in texts(svg)) for svg in (alike, apart)] == [True, False]


@pytest.mark.parametrize(("accuracy", "auroc"), [(1.0, 1.0), (0.0, 0.0)])
def test_no_axis_goes_beyond_0_or_100_percent(accuracy, auroc):
    ends = {"value": accuracy, "low": max(accuracy - 0.01, 0), "high": min(accuracy + 0.01, 1)}
    svg = scatter_svg([{**model(name, 0.5, best=auroc, mls=auroc), "accuracy": ends} for name in "ab"])
    ticks = [float(text.replace("−", "-")) for text in texts(svg) if text.strip("−").replace(".", "").isdigit()]
    assert min(ticks) >= 0
    assert max(ticks) <= 100


def test_an_interval_that_ends_at_100_percent_is_told_by_its_longer_side():
    """100 % (99.12 to 100) reaches 0.88 points down and none up: not ± 0.44."""
    perfect = {"value": 1.0, "low": 0.9912, "high": 1.0}
    told = texts(scatter_svg([{**model("one", 0.9), "accuracy": perfect}, {**model("two", 0.9), "accuracy": perfect}]))
    assert any("intervals up to ± 0.88" in text for text in told)


def test_where_one_model_alone_has_figures_it_is_no_models():
    svg = scatter_svg([model("a", 0.7), {**model("b", 0.8), "best": None}])
    assert ET.fromstring(svg)[0].text == "ID accuracy against mean AUROC of 1 model"
