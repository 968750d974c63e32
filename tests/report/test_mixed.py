"""Mixed images in the document, on a terminal and in the HTML report."""

import re
from html import unescape

import pytest

from oodkit.report.html import render_html
from oodkit.report.pictures import mixed_svg
from oodkit.report.runs import Run
from oodkit.report.sheets import model_sheets
from oodkit.report.terminal import print_document


@pytest.fixture
def mixed(document):
    return document["models"][0]["mixed"]


def shown(estimate):
    return f"{100 * estimate['value']:.2f}"


def test_a_row_names_every_number(mixed):
    rows = mixed["rows"]
    assert [row["lambda"] for row in rows] == [row["lambda"] for row in mixed["baseline"]] == [0, 0.1, 0.5]
    figures = {"lambda", "n", "mean", "auroc_id", "auroc_ood", "change_id", "change_ood"}
    assert all(set(row) == figures for row in rows + mixed["baseline"])
    assert set(rows[0]["auroc_id"]) == {"value", "low", "high"}
    assert set(rows[1]["change_id"]) == {"difference", "low", "high", "p_value"}
    assert [one["group"] for one in rows[1]["auroc_ood"]] == ["far", "far mean"]
    assert {row["change_id"] for row in mixed["baseline"]} == {None}


def test_terminal_and_report_show_the_sentence_and_every_figure_beside_the_baselines(document, mixed, capsys):
    print_document(document)
    printed, html = capsys.readouterr().out, render_html(Run(document))
    assert mixed["sentence"] in printed
    assert "the baseline&#39;s below it" in html
    assert mixed["sentence"] in unescape(html).replace("\N{NO-BREAK SPACE}", " ")
    for row, before in zip(mixed["rows"], mixed["baseline"], strict=True):
        pairs = [(row["auroc_id"], before["auroc_id"]), (row["auroc_ood"][0]["auroc"], before["auroc_ood"][0]["auroc"])]
        for own, theirs in pairs:
            assert f"{shown(own)} / {shown(theirs)}" in printed
            assert re.search(f">{shown(own)}</span><small[^>]*>[^<]*</small><div class=.before.><span[^>]*>{shown(theirs)}<", html)


def test_a_mean_over_one_set_is_no_column(document):
    (head,) = (one.head for one in model_sheets(document["models"][0], intervals=False) if one.title == "Mixed images")
    assert "mixed over far mean" not in head
    assert [name.partition(" over ")[0] for name in head] == ["λ", "images", "mean logit", "ID", "mixed"]


def test_without_mixed_images_nothing_is_said_of_them(document, capsys):
    document["models"][0]["mixed"] = None
    print_document(document)
    assert "Mixed images" not in capsys.readouterr().out + render_html(Run(document))


def test_without_a_baseline_one_figure_stands_alone(document, mixed, capsys):
    mixed["baseline"] = None
    print_document(document)
    printed, html = capsys.readouterr().out, render_html(Run(document))
    assert f"{shown(mixed['rows'][2]['auroc_id'])} /" not in printed
    assert f">{shown(mixed['rows'][2]['auroc_id'])}<" in html
    assert "the baseline&#39;s below it" not in html
    assert 'class="before"' not in html
    assert "the baseline" not in mixed_svg(mixed)


def test_the_curve_is_drawn_with_the_baseline_dashed(document, mixed):
    """Two lines and two bands of the model; dashed are the two of the baseline and the key to them."""
    svg = mixed_svg(mixed)
    assert svg in render_html(Run(document))
    assert "ID over mixed" in svg
    assert "mixed over OOD (far mean)" in svg
    dashed = svg.count("stroke-dasharray")
    mixed["baseline"] = None
    assert dashed - mixed_svg(mixed).count("stroke-dasharray") == 3  # two lines and the key
