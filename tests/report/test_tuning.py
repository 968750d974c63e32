"""The search in the reports: every combination is told, and names are spelled, not obeyed."""

from html import unescape

import pytest

from oodkit.report.html import render_html
from oodkit.report.remarks import tuning_remarks, tuning_rows, tuning_title
from oodkit.report.runs import Run
from oodkit.report.terminal import print_document

NAME = "<b>mine</b>\x1b[31m[red]"


@pytest.fixture
def searched(document):
    """One search with a row that does not apply, and one in which none does."""
    rows = [
        {"spec": "vim:dim=2", "settings": {"dim": 2}, "auroc": 0.91234, "reason": None},
        {"spec": "vim:dim=9", "settings": {"dim": 9}, "auroc": None, "reason": "a dim <below> 4"},
        {"spec": "vim", "settings": {"dim": 1}, "auroc": 0.85, "reason": None},
    ]
    facts = {"sets": [NAME], "n_id": 40, "n_ood": 30, "note": None}
    found = {"scorer": "vim", "asked": "vim", "spec": "vim:dim=2", **facts, "tried": rows, "before": rows[2], "chosen": rows[0]}
    none = {**found, "scorer": "knn", "asked": "knn", "spec": "knn", "tried": rows[1:2], "before": rows[1], "chosen": None}
    document["models"][0]["tuning"] = [found, none]
    return document


def test_the_rows_of_the_table(searched):
    (model,) = searched["models"]
    assert tuning_title(model) == f"Settings chosen on {NAME}: 40 ID and 30 OOD images"
    assert tuning_rows(model) == [
        {"scorer": "vim", "tried": 3, "chosen": "dim=2", "before": 0.85, "after": 0.91234},
        {"scorer": "knn", "tried": 1, "chosen": "none applies", "before": None, "after": None},
    ]


def test_the_terminal_has_a_row_a_search(searched, capsys):
    print_document(searched)
    printed = capsys.readouterr().out
    assert r"Settings chosen on <b>mine</b>\x1b[31m[red]" in " ".join(printed.split())
    lines = [line.split() for line in printed[printed.index("Settings chosen") :].splitlines()]
    assert ["vim", "dim=2", "3", "85.00", "91.23"] in lines
    assert ["knn", "none", "applies", "1", "–", "–"] in lines


def test_the_report_folds_every_combination_with_its_reason(searched):
    html = render_html(Run(searched))
    assert "<b>mine" not in html
    assert r"Settings chosen on <b>mine</b>\x1b[31m[red]" in unescape(html)
    assert html.count("<caption>vim</caption>") == html.count("<caption>knn</caption>") == 1
    assert "dim=2 ★" in html
    assert "dim=1 (as asked for)" in html
    assert "a dim &lt;below&gt; 4" in html


@pytest.mark.parametrize(("n_id", "n_ood", "few"), [(99, 100, True), (400, 1, True), (100, 100, False)])
def test_a_choice_on_few_images_is_cautioned_and_what_it_rests_on_told_once(searched, capsys, n_id, n_ood, few):
    (model,) = searched["models"]
    for one in model["tuning"]:
        one |= {"n_id": n_id, "n_ood": n_ood, "note": "held out a <tenth>"}
    caution = "caution: fewer than 100 ID or OOD images are so few that the choice is mostly chance"
    told = tuning_remarks(model)
    assert told == [*([caution] if few else []), "held out a <tenth>"]
    print_document(searched)
    for text in (" ".join(capsys.readouterr().out.split()), unescape(render_html(Run(searched)))):
        assert f"{n_id} ID and {n_ood} OOD images" in text
        assert [text.count(line) for line in told] == [1] * len(told)


def test_the_report_claims_no_more_than_the_comparison_can_tell(searched):
    html = render_html(Run(searched))
    assert "re-encoded copies are not noticed" in html
    assert "share no image" not in html


def test_without_a_search_there_is_no_section(document, capsys):
    assert document["models"][0]["tuning"] == []
    print_document(document)
    assert "Settings chosen" not in capsys.readouterr().out + render_html(Run(document))
