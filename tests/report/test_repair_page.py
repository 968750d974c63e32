"""The page of a repair: the repair first, then the model before and after it."""

import re
from itertools import pairwise

import pytest

from oodkit.report.glossary import terms_of
from oodkit.report.html import render_html
from oodkit.report.repairs import repair_notes, solver_facts, summary_changes, unchanged_line
from oodkit.wording import printable

from .test_html import Parsed


@pytest.fixture(scope="module")
def html(made_repaired_run) -> str:
    return render_html(made_repaired_run)


@pytest.fixture(scope="module")
def page(html) -> Parsed:
    return Parsed(html)


@pytest.fixture
def told(repaired_run) -> dict:
    return repaired_run.document


def percent(value: float) -> str:
    return f"{100 * value:.2f}".replace("-", "−")


def test_title_and_heading_are_of_the_repair_and_the_name_is_short(html, page):
    assert "<title>oodkit: repair of small</title>" in html
    assert page.text.index("Repair of the last layer") < page.text.index("Before the repair") < page.text.index("After the repair")
    assert "models compared" not in page.text
    assert "small + AugDelete" in page.text


def test_the_bar_leads_to_the_repair_and_to_both_models(page):
    links = [one["href"] for one in page.all("a") if one["href"] in {"#repair", "#m0", "#m1", "#comparison"}]
    assert links == ["#repair", "#m0", "#m1"]
    assert {"repair", "m0", "m1"} <= set(page.values("id"))


def test_the_sentence_and_all_four_figures_are_told(told, page):
    before, after = told["models"]
    mls = next(row for row in summary_changes(told) if row["scorer"] == "mls")
    top = page.text[: page.text.index("Scorers before and after")]
    assert printable(told["repair"]["sentence"].replace(before["name"], "small")) in " ".join(top.split())
    told_figures = (mls["auroc_before"], mls["auroc_after"], before["accuracy"], after["accuracy"])
    for one in told_figures:
        assert percent(one["value"]) in top
    difference = mls["difference"]
    assert f"+{percent(difference['difference'])} points" in top
    assert f"95 % interval +{percent(difference['low'])} to +{percent(difference['high'])}; paired DeLong p < 0.0001" in top
    assert f"Mean AUROC of {after['best']}".lower() in top.lower()


def test_every_changed_scorer_has_a_row_with_its_intervals_and_the_others_a_line(told, html, page):
    rows = summary_changes(told)
    for row in (one for one in rows if one["changed"]):
        for key in ("auroc_before", "auroc_after", "fpr95_before", "fpr95_after"):
            value, low, high = (percent(row[key][one]) for one in ("value", "low", "high"))
            assert f'<span title="95 % interval {low} to {high}">{value}</span>' in html
    assert unchanged_line(rows) in page.text
    order = [row["scorer"] for row in rows if row["changed"]]
    table = html[html.index("Scorers before and after") :]
    places = [re.search(rf'<th scope="row"><[^>]*>{one}<', table).start() for one in order]
    assert places == sorted(places)


def test_solver_shares_and_notes_are_told(told, page):
    lines = [value for _, value in solver_facts(told["repair"])] + repair_notes(told["repair"])
    assert [line for line in lines if printable(line) not in page.text] == []
    for name in ("0, untouched", "5 %", "25 %", "100 %"):
        assert name in page.text
    assert "Share by share" in page.text


def test_one_share_makes_neither_curve_nor_table(repaired_run):
    shares = repaired_run.document["repair"]["shares"]
    repaired_run.document["repair"]["shares"] = [shares[0], shares[-1]]
    page = Parsed(render_html(repaired_run))
    assert "Share by share" not in page.text
    assert "ID accuracy against the share" not in page.text


def test_its_parts_fit_together(page):
    """Elements are closed, headings skip no level, ids are unique and links lead somewhere."""
    assert page.open == []
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert (levels.count(1), levels[0]) == (1, 1)
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.values("href") if href.startswith("#")} <= set(ids)


def test_every_term_but_those_of_the_evidence_is_linked(told, page):
    defined = {f"#term-{term['key']}" for term in terms_of(told)}
    assert defined - set(page.values("href")) <= {"#term-knn", "#term-density"}


@pytest.mark.parametrize("outcome", ["repaired", "no-change", "harmed"])
def test_every_outcome_is_defined_and_its_badge_leads_there(repaired_run, outcome):
    repaired_run.document["repair"]["outcome"] = outcome
    page = Parsed(render_html(repaired_run))
    assert f"#term-{outcome}" in page.values("href")
    assert f"term-{outcome}" in page.values("id")


def test_where_nothing_changed_there_is_no_empty_table(repaired_run):
    """As of a network that was trained plainly."""
    for row in repaired_run.document["repair"]["changes"]:
        row |= {"changed": False, "auroc_before": row["auroc_after"], "p_holm": 1.0}
    repaired_run.document["repair"]["accuracy"] = {"difference": 0.0, "low": 0.0, "high": 0.0, "p_value": 1.0}
    html = render_html(repaired_run)
    assert "<tbody>\n</tbody>" not in html
    text = Parsed(html).text
    for told in (
        unchanged_line(summary_changes(repaired_run.document)),
        "no image's score changed",
        "no image is classified otherwise",
    ):
        assert told in text
    assert "Set by set" not in html


def test_a_repair_of_which_no_scorer_was_compared_has_a_page_too(repaired_run):
    document = repaired_run.document
    document["repair"]["changes"] = []
    document["repair"]["refit"] |= {"tried": [], "held_out_loss": None, "start_loss": None, "gap": None}
    for share in document["repair"]["shares"]:
        share["aurocs"] = {}
    page = Parsed(render_html(repaired_run))
    assert "ID accuracy" in page.text
    assert "Set by set" not in page.text


def test_a_diagnosis_with_a_stray_repair_is_a_diagnosis(run, repaired_run):
    """As a later version might write it: the kind decides."""
    run.document["repair"] = repaired_run.document["repair"]
    assert "Repair of the last layer" not in Parsed(render_html(run)).text
