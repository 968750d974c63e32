"""A repair on the terminal and in Markdown: all of it, with room on 80 columns, and the terms that it needs."""

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from oodkit.report.glossary import terms_of
from oodkit.report.markdown import render_markdown
from oodkit.report.repair_sheets import repair_sheets
from oodkit.report.repairs import repair_notes
from oodkit.report.terminal import print_document
from oodkit.wording import printable


@pytest.fixture
def told(repaired_run) -> dict:
    return repaired_run.document


@pytest.fixture
def repair(told) -> dict:
    return told["repair"]


def test_the_terminal_tells_the_repair_and_the_verdict_on_the_repaired_model_alone(told, repair, capsys):
    print_document(told)
    printed = capsys.readouterr().out
    for cell in cells_of(told, intervals=False):
        assert printable(cell) in printed
    for line in (repair["sentence"], *repair_notes(repair), told["models"][1]["verdict"]["sentence"]):
        assert printable(line) in printed
    assert printed.count("\nVerdict ") == 1
    assert told["models"][0]["verdict"]["sentence"] not in printed
    assert not [char for char in printed if char != "\n" and not char.isprintable()]


def test_its_tables_have_room_on_80_columns(told, repair, capsys):
    """But for the names of sets; the widest figures, of a scorer with a long name."""
    for model in told["models"]:
        model["accuracy"]["value"] = 1.0
    for row in repair["changes"]:
        row["scorer"] = row["scorer"].replace("residual", "temp_scaling")
        row["difference"] = {"difference": -0.2675, "low": -0.3745, "high": -0.1605, "p_value": 1e-9}
    print_document(told)
    lines = capsys.readouterr().out.splitlines()
    first = lines[lines.index(next(line for line in lines if line.startswith("Before and after the repair"))) :]
    table = first[1 : first.index("")]
    assert max(len(line.rstrip()) for line in table if not line.startswith(("p:", "unchanged"))) <= 80
    shares = lines[lines.index(next(line for line in lines if line.startswith("Shares"))) + 1 :]
    assert max(len(line.rstrip()) for line in shares[: shares.index("")]) <= 80


def cells_of(document, *, intervals):
    sheets = repair_sheets(document, intervals=intervals)
    return [cell for one in sheets for cell in (one.title, *one.head, *(cell for row in one.rows for cell in row), *one.below)]


def test_markdown_tells_all_of_it_and_then_both_models(told, repair):
    text = render_markdown(told)
    page = unescape(re.sub(r"<[^>]*>", "", MarkdownIt("commonmark").enable("table").render(text)))
    for cell in (*cells_of(told, intervals=True), repair["sentence"], *repair_notes(repair)):
        assert printable(cell) in page
    places = [
        page.index(part) for part in ("repair of the last layer", "small: out-of-distribution", "AugDelete: out-of-distribution")
    ]
    assert places == sorted(places)
    assert "compared" not in page


def test_its_terms_are_defined_where_it_is_told_and_nowhere_else(told, repair, document):
    own = {"repair", "p-value", "mcnemar", "held-out-loss"}
    found = {term["key"] for term in terms_of(told)}
    assert own | {"share", "repaired"} <= found
    assert not {"no-change", "harmed"} & found
    assert not (own | {"share", "repaired", "no-change", "harmed"}) & {term["key"] for term in terms_of(document)}
    repair |= {"outcome": "harmed", "shares": repair["shares"][:2]}
    found = {term["key"] for term in terms_of(told)}
    assert "harmed" in found
    assert not {"share", "repaired"} & found
