"""The pictures of an ablation: every recipe with its name, both heads, the shift on every set, and no markup from names."""

from xml.etree import ElementTree as ET

import pytest

from oodkit.report.pictures import recipes_svg, shift_svg

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
    blue = [one for one in svg.iter(f"{SVG}path") if one.get("fill") == "#2a7fc9" and "c" in one.get("d")]
    starts = [tuple(map(float, one.get("d")[1:].replace("-", " -").split("c")[0].split())) for one in blue][:2]
    v1, cutmix = (own[recipe, "as trained"] for recipe in ("v1", "cutmix"))
    assert v1["accuracy"]["mean"] > cutmix["accuracy"]["mean"]
    assert starts[0][0] > starts[1][0]
    assert v1["aurocs"]["mls"]["mean"]["mean"] > cutmix["aurocs"]["mls"]["mean"]["mean"]
    assert starts[0][1] < starts[1][1]  # y grows downwards


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
