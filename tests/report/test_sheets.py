"""Sheets: terminal and Markdown show every cell of them, and what has no figures is left out or a dash."""

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from oodkit.report.markdown import render_markdown
from oodkit.report.quality_sheets import quality_sheets
from oodkit.report.sheets import Sheet, auroc_and_fpr, comparison_sheet, model_sheets
from oodkit.report.terminal import print_document
from oodkit.wording import printable

from .made_quality import made, run_of


def cells(sheet: Sheet) -> list[str]:
    return [sheet.title, sheet.caption, *sheet.head, *(cell for row in sheet.rows for cell in row), *sheet.below]


def test_terminal_and_markdown_show_every_cell(compared_run, document, capsys):
    """The caption begins a sentence in Markdown."""
    for told in (compared_run.document, document):
        print_document(told)
        text = capsys.readouterr().out
        page = unescape(re.sub(r"<[^>]*>", "", MarkdownIt("commonmark").enable("table").render(render_markdown(told))))
        for where, intervals in ((text, False), (page, True)):
            made = [sheet for model in told["models"] for sheet in model_sheets(model, intervals=intervals)]
            made += [comparison_sheet(told["models"], intervals=intervals)] if len(told["models"]) > 1 else []
            assert [cell for sheet in made for cell in cells(sheet) if printable(cell)[1:] not in where] == []


def test_only_the_tables_that_say_something_are_made(compared_run, document):
    plain, softened = ([sheet.title for sheet in model_sheets(one, intervals=False)] for one in compared_run.document["models"])
    assert plain == ["Maximal logit", "Scorers"]
    assert softened == ["Maximal logit", "Maximal-logit shift against net<br>", "Scorers"]
    (model,) = document["models"]
    assert [sheet.title for sheet in model_sheets(model, intervals=True)] == ["Maximal logit", "Mixed images", "Scorers"]


@pytest.mark.parametrize("intervals", [False, True])
def test_rows_are_as_wide_as_their_heads(compared_run, document, intervals):
    for model in (*compared_run.document["models"], *document["models"]):
        for sheet in (*model_sheets(model, intervals=intervals), comparison_sheet([model], intervals=intervals)):
            assert {len(row) for row in sheet.rows} == {len(sheet.head)}
            assert all(place < len(sheet.rows) and at < len(sheet.head) for place, at in sheet.bold)


def test_intervals_stand_beside_figures_where_there_is_room(compared_run):
    model = compared_run.document["models"][1]
    ratio = model["shifts"][0]["ratio"]
    alone, beside = (model_sheets(model, intervals=intervals)[1].rows[0][4] for intervals in (False, True))
    assert alone == f"{ratio['value']:+.3f}"
    assert beside == f"{alone} ({ratio['low']:+.3f} to {ratio['high']:+.3f})"


def test_the_best_scorers_row_is_set_off(document):
    sheet = model_sheets(document["models"][0], intervals=False)[-1]
    assert sheet.rows[0][0] == f"{document['models'][0]['best']} (best)"
    assert {place for place, _ in sheet.bold} == {0}
    document["models"][0]["best"] = None
    assert model_sheets(document["models"][0], intervals=False)[-1].bold == []


def test_a_cell_without_figures_is_a_dash():
    assert auroc_and_fpr(None) == auroc_and_fpr({"auroc": None, "fpr95_ood": None}) == "–"
    assert auroc_and_fpr({"auroc": {"value": 0.98194}, "fpr95_ood": {"value": 0.0785}}) == "98.19 / 7.85"


def test_all_sets_that_share_the_first_rank_are_set_off():
    document = run_of(made()).document
    document["sets"][1]["rank"] = 1
    ranking = quality_sheets(document)[0]
    assert {line for line, _ in ranking.bold} == {0, 1}
    assert len(ranking.bold) == 2 * len(ranking.head)


def test_the_caption_of_models_compared_says_which_mean_and_which_intervals(compared_run):
    """Of one OOD set there is no mean over sets, and an accuracy never is one."""
    models = compared_run.document["models"]
    assert comparison_sheet(models, intervals=True).caption == (
        "in percent, with 95 % intervals; AUROC and FPR@95 are those of the mean"
    )
    assert "AUROCs with 95 % intervals; " in comparison_sheet(models, intervals=False).caption
