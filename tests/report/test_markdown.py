"""The report as Markdown tells what the others tell, and no name in it becomes markup."""

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from oodkit.report.markdown import render_markdown
from oodkit.report.remarks import remarks, scorers_best_first, set_remarks, summary_result, tuning_remarks, tuning_title
from oodkit.wording import printable

OWN = {"h2", "h3", "p", "strong", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "pre", "code", "span"}
OWN |= {"details", "summary"}
PAGE = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def words(html: str) -> str:
    """The text of the page; a tag within a word is no space."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


@pytest.fixture
def page(document) -> str:
    return PAGE.render(render_markdown(document))


def rows_of(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    table = page[page.index(heading) :].split("<table>")[1].split("</table>", maxsplit=1)[0]
    return [[words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in table.split("<tr>")[1:]]


def test_it_ends_with_one_line_break_and_holds_no_control_characters(document):
    text = render_markdown(document)
    assert text.endswith("</details>\n")
    assert not [char for char in text if char != "\n" and not char.isprintable()]
    text.encode()


def test_no_name_becomes_markup(page):
    assert {tag.rstrip("/") for tag in re.findall(r"</?([\w/]+)", page)} <= OWN
    assert r"[red]\x1b[31m\x9b2J--><script>alert('set')</script>" in words(page)
    assert "net<br>: out-of-distribution diagnosis" in words(page)


def test_verdict_evidence_and_every_advice_with_its_command_are_told(document, page):
    verdict = document["models"][0]["verdict"]
    told = [verdict["sentence"], *verdict["evidence"], *(one["text"] for one in verdict["advice"])]
    for line in told:
        assert " ".join(printable(line).split()) in words(page)
    commands = [unescape(code).strip() for code in re.findall(r"<code[^>]*>(.*?)</code>", page, re.DOTALL)]
    assert commands == [printable(one["command"]) for one in verdict["advice"] if one["command"]] + [printable(document["command"])]


def test_every_remark_of_the_terminal_is_told(document, page):
    lines = remarks(document["models"][0]) + [line for one in document["sets"] for line in set_remarks(one)]
    for line in lines:
        assert " ".join(printable(line).split()) in words(page)


def test_the_figures_have_their_intervals(document, page):
    (model,) = document["models"]
    best = summary_result(model, model["best"])
    figures = dict(rows_of(page, "net"))

    def shown(estimate):
        return f"{100 * estimate['value']:.2f} % ({100 * estimate['low']:.2f} to {100 * estimate['high']:.2f})"

    assert figures["ID accuracy"] == shown(model["accuracy"])
    assert figures[f"far mean AUROC of {model['best']}, the best scorer"] == shown(best["auroc"])
    assert figures["its far mean FPR@95"] == shown(best["fpr95_ood"])
    gap = model["max_logits"][1]["gap"]
    assert f"{gap['value']:+.2f} ({gap['low']:+.2f} to {gap['high']:+.2f})" in figures.values()


def test_scorers_stand_best_first_with_the_interval_of_the_mean(document, page):
    (model,) = document["models"]
    head, *rows = rows_of(page, "<h3>Scorers")
    assert [name[:7] for name in head] == ["scorer", r"[red]\x", "far mea"]
    assert [row[0].removesuffix(" (best)") for row in rows] == scorers_best_first(model)
    best = summary_result(model, model["best"])
    cell = f"{100 * best['auroc']['value']:.2f} / {100 * best['fpr95_ood']['value']:.2f}"
    interval = f"{100 * best['auroc']['low']:.2f} to {100 * best['auroc']['high']:.2f}"
    assert rows[0] == [f"{model['best']} (best)", cell, interval]
    assert ["mds", "–", "–"] in rows


def test_mixed_images_stand_beside_the_baselines(document, page):
    mixed = document["models"][0]["mixed"]
    assert printable(mixed["sentence"]) in words(page)
    _, *rows = rows_of(page, "<h3>Mixed images")
    assert [row[0] for row in rows] == ["0", "0.1", "0.5"]
    own, before = (one["rows" if one is mixed else "baseline"] for one in (mixed, {"baseline": mixed["baseline"]}))
    assert rows[2][3] == f"{100 * own[2]['auroc_id']['value']:.2f} / {100 * before[2]['auroc_id']['value']:.2f}"
    document["models"][0]["mixed"] = None
    assert "Mixed" not in render_markdown(document)


def test_one_model_is_not_compared_and_has_no_shift_without_a_baseline(page):
    assert "compared" not in page
    assert "shift" not in page


def test_several_models_are_compared_and_the_shift_has_intervals(compared_run):
    document = compared_run.document
    page = PAGE.render(render_markdown(document))
    head, *rows = rows_of(page, "2 models compared")
    assert [row[0] for row in rows] == [model["name"] for model in document["models"]]
    assert [row[1] for row in rows] == [model["verdict"]["code"] for model in document["models"]]
    assert all(re.fullmatch(r"\d+\.\d\d \(\d+\.\d\d to \d+\.\d\d\)", cell) for row in rows for cell in row[3:])
    assert len(head) == len(rows[0])
    _, *shifts = rows_of(page, "Maximal-logit shift against net")
    ratio = document["models"][1]["shifts"][0]["ratio"]
    assert shifts[0][4] == f"{ratio['value']:+.3f} ({ratio['low']:+.3f} to {ratio['high']:+.3f})"


def test_a_search_is_told_with_its_cautions(document):
    rows = [
        {"spec": "vim:dim=2", "settings": {"dim": 2}, "auroc": 0.91234, "reason": None},
        {"spec": "vim", "settings": {"dim": 1}, "auroc": 0.85, "reason": None},
    ]
    facts = {"sets": ["<b>mine</b>"], "n_id": 40, "n_ood": 30, "note": "held out a <tenth>"}
    found = {"scorer": "vim", "asked": "vim", "spec": "vim:dim=2", **facts, "tried": rows, "before": rows[1], "chosen": rows[0]}
    (model,) = document["models"]
    model["tuning"] = [found]
    page = PAGE.render(render_markdown(document))
    assert tuning_title(model) in words(page)
    assert rows_of(page, "Settings chosen")[1] == ["vim", "dim=2", "2", "85.00", "91.23"]
    for line in tuning_remarks(model):
        assert line in words(page)


def test_how_it_was_made_is_folded_at_the_end(document, page):
    folded = page[page.index("<details>") :]
    assert [row[3:] for row in rows_of(folded, "<details>")[1:]] == [["40", "0"], ["40", "12"]]
    for part in ("preprocessing of net<br>: mean <i>", "seed 0", f"oodkit {document['oodkit']}, python 3", document["created"]):
        assert part in words(folded)


def test_nothing_scored_leaves_dashes(document):
    (model,) = document["models"]
    for row in model["results"]:
        row.update(dict.fromkeys(("auroc", "fpr95_ood", "fpr95_id", "aupr_in", "aupr_out")), reason="no <scores>")
    model["best"] = None
    rows = rows_of(PAGE.render(render_markdown(document)), "<h3>Scorers")
    assert {cell for row in rows[1:] for cell in row[1:]} == {"–"}
