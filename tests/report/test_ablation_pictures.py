"""The pictures of an ablation: every recipe with its name, both heads, the shift on every set, and no markup from names."""

from xml.etree import ElementTree as ET

import pytest

from oodkit.report.pictures import recipes_svg, shift_svg
from oodkit.report.pictures.palette import RECIPES as PALETTE

from .made_ablation import GROUPS, RECIPES, document_of, hostile_document, made

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.fixture(scope="module")
def rows():
    return document_of(made())["rows"]


def test_every_recipe_is_named_once_and_both_heads_have_their_mark(rows):
    told = texts(recipes_svg(rows, "mls"))
    assert [told.count(recipe) for recipe in RECIPES] == [1] * 8
    assert {"as trained", "AugDelete", "ID accuracy, percent", "mls, mean AUROC, percent"} <= set(told)


def test_marks_stand_where_the_figures_say(rows):
    """Of two recipes the one with the higher AUROC stands higher, the one with the higher accuracy further right."""
    own = {(row["recipe"], row["head"]): row for row in rows if row["recipe"] in {"v1", "cutmix"}}
    svg = ET.fromstring(recipes_svg(list(own.values()), "mls"))
    dots = [dot for colour in PALETTE[:2] for dot in svg.iter(f"{SVG}path") if dot.get("fill") == colour and "c" in dot.get("d")]
    starts = [tuple(map(float, one.get("d")[1:].replace("-", " -").split("c")[0].split())) for one in dots]
    assert len(starts) == 2
    v1, cutmix = (own[recipe, "as trained"] for recipe in ("v1", "cutmix"))
    assert v1["accuracy"]["mean"] > cutmix["accuracy"]["mean"]
    assert starts[0][0] > starts[1][0]
    assert v1["aurocs"]["mls"]["mean"]["mean"] > cutmix["aurocs"]["mls"]["mean"]["mean"]
    assert starts[0][1] < starts[1][1]  # y grows downwards


def test_the_two_marks_and_the_arrow_of_a_recipe_are_of_its_colour_alone(rows):
    paths = list(ET.fromstring(recipes_svg(rows, "mls")).iter(f"{SVG}path"))
    for colour in PALETTE[: len(RECIPES)]:
        assert sum(one.get("fill") == colour for one in paths) in {2, 3}  # the head of a short arrow is left out
        assert sum(one.get("stroke") == colour for one in paths) >= 2 * 2 + 1  # two crosses and the arrow
    assert not any(colour in (one.get("fill"), one.get("stroke")) for one in paths for colour in PALETTE[len(RECIPES) :])


def test_the_key_says_what_every_mark_is(rows):
    told = texts(recipes_svg(rows, "mls"))
    assert {"as trained", "AugDelete", "what it does to a recipe", "± standard deviation"} <= set(told)
    alone = document_of(made(seeds=(0,)))["rows"]
    assert "± standard deviation" not in texts(recipes_svg(alone, "mls"))


def test_no_name_stands_on_a_mark_or_a_cross_of_its_own(monkeypatch):
    """With the error bars as wide as they are there, a name beside its mark would be struck through."""
    from oodkit.report.pictures import ablation

    seen = {}

    def boxes_of(names, marks, others, *size):
        seen["marks"], seen["others"], seen["boxes"] = marks, others, real(names, marks, others, *size)
        return seen["boxes"]

    real = ablation.boxes_of
    monkeypatch.setattr(ablation, "boxes_of", boxes_of)
    wide = document_of(made(("v1", "mixup", "cutmix")))["rows"]
    for row in wide:
        row["accuracy"]["sd"] = 0.01
    recipes_svg(wide, "mls")
    for left, bottom, right, top in seen["boxes"]:
        assert not any(left < x < right and bottom < y < top for x, y in (*seen["marks"], *seen["others"]))
    (x, y), others = seen["marks"][0], seen["others"]
    assert any(abs(other_y - y) < 0.01 and other_x - x > 10 for other_x, other_y in others)  # v1's own arm to the right


def test_one_seed_one_recipe_and_equal_figures_make_a_picture() -> None:
    rows = document_of(made(("v1",), (0,), {"svhn": "far"}))["rows"]
    rows[1] = {**rows[0], "head": "AugDelete"}
    assert "v1" in texts(recipes_svg(rows, "mls"))
    for row in rows:
        row["accuracy"]["mean"] = row["aurocs"]["mls"]["mean"]["mean"] = 1.0
    assert "v1" in texts(recipes_svg(rows, "mls"))


def test_a_scorer_without_scores_has_no_picture(rows):
    assert recipes_svg(rows, "vim") == recipes_svg([], "mls") == ""


def test_the_shift_has_a_bar_for_each_recipe_but_the_baseline_on_each_set(rows):
    svg = shift_svg(rows, GROUPS)
    told = texts(svg)
    assert [told.count(recipe) for recipe in RECIPES] == [0] + [1] * 7
    assert [told.count(name) for name in GROUPS] == [7] * 3
    assert {"near OOD", "far OOD"} <= set(told)


def test_without_shifts_there_is_no_picture(rows):
    baseline = [row for row in rows if row["recipe"] == "v1"]
    assert shift_svg(baseline, GROUPS) == shift_svg([], GROUPS) == ""
    empty = [{**row, "shift": {}} for row in rows]
    assert shift_svg(empty, GROUPS) == ""


def test_names_become_no_markup_and_obey_nothing() -> None:
    document = hostile_document()
    for svg in (
        shift_svg(document["rows"], document["groups"]),
        *(recipes_svg(document["rows"], one) for one in document["scorers"]),
    ):
        assert "<img" not in svg
        assert "<script" not in svg
        assert all(text.isprintable() for text in texts(svg))
