"""A report on paper, where nothing scrolls, opens or is pressed."""

import re

import pytest

from oodkit.report.html import write_html

from .pages import every_report


@pytest.mark.parametrize("name", ["real", "repaired"])
def test_paper_cuts_nothing_off(file, look):
    """Paper does not scroll. A4 less its margins is 688 CSS pixels wide."""
    page = look(file, width=688, paper=True)
    assert page.evaluate("checks.overflowing(688)") == []
    assert page.evaluate("checks.clipped()") == []


@every_report
def test_paper_has_auroc_and_fpr95_of_every_scorer_on_every_set(file, look):
    """There is nothing to press on paper; the convention of FPR@95 is the one that was chosen, by default OOD positive."""
    page = look(file, paper=True)
    cells = "[...document.querySelectorAll('.heat td[class]:not(.reason)')]"
    seen = "[...one.children].map(each => each.checkVisibility())"
    told = "[...document.querySelectorAll('.heat caption')].map(one => one.innerText.includes('with {} as the positive class'))"
    for metric, shown, convention in (("auroc", [True, True, False], "OOD"), ("fpr95_id", [True, False, True], "ID")):
        page.evaluate(f"document.querySelectorAll('[value={metric}]').forEach(one => {{ one.checked = true; }})")
        kinds = page.evaluate(f"{cells}.map(one => {seen})")
        assert kinds == [shown] * len(kinds) != []
        assert set(page.evaluate(told.format(convention))) == {True}


def test_a_table_of_many_sets_fits_on_paper(run, look, tmp_path):
    """Of five sets and three means; A4 less its margins is 688 CSS pixels wide."""
    (model,) = run.document["models"]
    rows = [row for row in model["results"] if row["ood_set"] == model["summary"]]
    names = {**dict.fromkeys(("tiny-imagenet", "cifar100"), "near"), **dict.fromkeys(("mnist", "textures", "places365"), "far")}
    names |= {name: name for name in ("near mean", "far mean", "mean")}
    model["results"] = [{**row, "ood_set": name, "group": group} for row in rows for name, group in names.items()]
    model |= {"summary": "mean", "max_logits": [], "roc": [], "densities": [], "extremes": None, "mixed": None}
    write_html(run, tmp_path / "report.html")
    page = look(tmp_path / "report.html", width=688, paper=True)
    assert page.evaluate("document.querySelectorAll('.heat thead th').length") == 9
    assert page.evaluate("document.querySelector('.heat').getBoundingClientRect().right") <= 688


@pytest.mark.parametrize("name", ["real"])
def test_a_header_is_drawn_on_every_page_that_its_table_goes_on_to(file, look):
    """Chromium repeats a header, but no button's box in it; and rows stay with their header."""
    page = look(file, width=688, paper=True)
    buttons = page.evaluate("[...document.querySelectorAll('th button')].map(one => getComputedStyle(one).display)")
    assert set(buttons) == {"contents"}
    kept = "['thead', 'tbody tr'].map(one => getComputedStyle(document.querySelector(one)))"
    assert page.evaluate(f"(([head, row]) => [head.breakAfter, head.breakInside, row.breakBefore])({kept})") == ["avoid"] * 3


@every_report
def test_it_prints_on_ten_pages_a_model(file, look, tmp_path):
    page = look(file)
    page.pdf(tmp_path / "report.pdf")
    pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes())
    assert 2 <= len(pages) <= 10 * page.evaluate("document.querySelectorAll('article').length")
