"""The HTML report: it tells everything, obeys no name, runs nothing but its own script, and its parts fit together."""

import base64
import hashlib
import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from oodkit.report.glossary import terms_of
from oodkit.report.html import render_html, write_html
from oodkit.report.remarks import remarks, set_remarks
from oodkit.report.runs import Run
from oodkit.wording import printable

VOID = {"meta", "link", "br", "wbr", "img", "input", "path", "hr"}


class Parsed(HTMLParser):
    """The elements with their attributes, in order, and the text of a page; comments are no text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open += [tag] if tag not in VOID else []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data.replace("\N{NO-BREAK SPACE}", " ")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.elements if attribute in attributes]


@pytest.fixture
def html(run) -> str:
    return render_html(run)


@pytest.fixture
def page(html) -> Parsed:
    return Parsed(html)


@pytest.fixture
def compared(compared_run) -> Parsed:
    return Parsed(render_html(compared_run))


def test_every_remark_is_told(document, page):
    """The caution on negative features, the held-out tenth, reasons, the facts' notes, the sets' notes and skipped files."""
    told = remarks(document["models"][0]) + [line for one in document["sets"] for line in set_remarks(one)]
    for part in ("never negative", "stratified 10 %", "not scored, ", "no baseline: none is <known>", "note: classes are matched"):
        assert any(part in line for line in told), part
    for line in told:
        assert printable(line) in page.text


def test_verdict_evidence_and_advice_with_its_command_are_told(document, page):
    verdict = document["models"][0]["verdict"]
    lines = [verdict["sentence"], *verdict["evidence"], *(one["text"] for one in verdict["advice"])]
    lines += [one["command"] for one in verdict["advice"] if one["command"]]
    assert [line for line in lines if printable(line) not in page.text] == []


def test_every_figure_of_every_scorer_is_there_with_its_interval(document, html):
    """In percent, in both conventions of FPR@95; in small, which is what the script shows on hover."""
    for row in document["models"][0]["results"]:
        if row["auroc"] and row["ood_set"] in {document["sets"][1]["name"], document["models"][0]["summary"]}:
            for key in ("auroc", "fpr95_ood", "fpr95_id"):
                value, low, high = (f"{100 * row[key][one]:.2f}" for one in ("value", "low", "high"))
                assert f"<div>{value}<small>[{low}, {high}]</small></div>" in html


def test_how_it_was_made_is_told(document, page):
    model = document["models"][0]
    versions = [f"{name} {version}" for name, version in document["versions"].items()]
    settings = [f"{name} {value}" for name, value in document["settings"].items()]
    facts = [document["command"], document["created"], "document schema 2", model["facts"]["weights"], model["facts"]["recipe"]]
    assert [one for one in [*versions, *settings, *facts] if printable(str(one)) not in page.text] == []


def test_no_name_becomes_markup(html, page):
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"i", "iframe", "object", "embed", "base", "form"}
    assert Counter(tag for tag, _ in page.elements)["script"] == 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "net<br>" not in html
    assert r"[red]\x1b[31m\x9b2J--><script>alert('set')</script>" in unescape(page.text)
    assert {one["src"].partition(",")[0] for one in page.all("img")} <= {"data:image/png;base64", "data:image/jpeg;base64"}


def test_a_report_with_a_name_that_is_no_utf_8_can_be_written(run, tmp_path):
    write_html(run, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert r"[bold]\udcff.png" in html
    assert not [char for char in html if char != "\n" and not char.isprintable()]


def test_a_set_may_be_named_in_any_script(document):
    """matplotlib's own font has no Chinese; the report's text is drawn by the browser."""
    for one in document["models"][0]["densities"]:
        one["sets"] = {"ID": one["sets"]["ID"], "漢字": one["sets"]["ID"]}
    assert ">漢字</text>" in render_html(Run(document))


def test_nothing_but_the_reports_own_script_may_run_and_nothing_is_fetched(html, page):
    """The policy names the hash of the one script, byte by byte; pictures come from the page itself."""
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert all(src.startswith("data:") for src in page.values("src"))
    assert not page.all("link")
    assert "url(" not in html
    assert "@import" not in html


def test_links_out_of_the_page_send_no_referrer(page):
    away = [one for one in page.all("a") if not (one["href"] or "").startswith("#")]
    assert away
    assert {(one["href"] or "").partition(":")[0] for one in away} == {"https"}
    assert {one["rel"] for one in away} == {"noreferrer"}


def test_every_link_within_a_page_leads_somewhere_and_ids_are_unique(page, compared):
    for one in (page, compared):
        ids = one.values("id")
        assert len(ids) == len(set(ids))
        assert {href[1:] for href in one.values("href") if href.startswith("#")} <= set(ids)


def test_elements_are_closed_in_their_order_and_headings_skip_no_level(page, compared):
    for one in (page, compared):
        assert one.open == []
        levels = [int(tag[1]) for tag, _ in one.elements if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_tables_name_their_rows_and_columns(page):
    assert {one.get("scope") for one in page.all("th")} == {"row", "col"}
    assert len(page.all("caption")) == len(page.all("table"))


def test_the_means_come_first_since_the_last_columns_scroll_away(document):
    """The summary before the groups' means before the sets, in the scorers' table as in that of mixed images."""
    (model,) = document["models"]
    summary, means = "mean", ["mean", "near mean", "far mean"]
    groups = {"a": "near", "b": "near", "c": "far", "d": "far", "near mean": "near mean", "far mean": "far mean", "mean": "mean"}
    rows = [row for row in model["results"] if row["ood_set"] == model["summary"]]
    model |= {"summary": summary, "max_logits": [], "roc": [], "densities": [], "extremes": None}
    model["results"] = [{**row, "ood_set": name, "group": group} for row in rows for name, group in groups.items()]
    for row in model["mixed"]["rows"]:
        first = row["auroc_ood"][0]
        row["auroc_ood"] = [{**first, "ood_set": name, "group": group} for name, group in groups.items()]
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', render_html(Run(document)))
    sets = [f"<small>{groups[name]}</small>{name}" for name in "abcd"]
    assert heads[heads.index("scorer") :][1:8] == [*means, *sets]
    assert heads[heads.index("λ") :][1:9] == ["ID over<br>mixed", *(f"mixed over<br>{name}" for name in [*means, *"abcd"])]


def test_images_have_names_and_pictures_titles(page):
    assert all(one["alt"] for one in page.all("img"))
    pictures = [one for one in page.all("svg") if "aria-hidden" not in one]
    assert pictures
    assert {one.get("role") for one in pictures} == {"img"}
    assert len(page.all("title")) == 1 + len(pictures)


def test_several_models_are_compared_first_with_intervals_and_links(compared_run, compared):
    names = [model["name"] for model in compared_run.document["models"]]
    assert "2 models compared" in compared.text
    assert compared.text.index("2 models compared") < compared.text.index("What to do")
    links = [one["href"] for one in compared.all("a") if one["href"] in {"#m0", "#m1"}]
    assert links == ["#m0", "#m1"] * 2  # the bar's, and the table's
    assert {"m0", "m1"} <= set(compared.values("id"))
    assert all(compared.text.count(name) >= 2 for name in names)


def test_one_model_is_compared_with_nothing(page):
    assert "compared" not in page.values("id")
    assert "models compared" not in page.text


def test_thumbnails_stand_in_the_page_and_those_that_are_missing_are_named(run, page):
    lists = [*run.document["models"][0]["extremes"]["accepted"].values(), run.document["models"][0]["extremes"]["rejected"]]
    names = [one["thumbnail"] for images in lists for one in images]
    sources = [f"data:image/png;base64,{base64.b64encode(run.thumbnails[name]).decode()}" for name in names if name]
    assert [one["src"] for one in page.all("img")] == sources
    missing = [attributes for _, attributes in page.elements if attributes.get("class") == "missing"]
    assert len(missing) == names.count(None) > 0


def test_where_nothing_slips_through_that_is_said_and_nowhere_else(document):
    """Of the best scorer on that set; images are shown all the same."""
    (model,) = document["models"]
    (name,) = model["extremes"]["accepted"]
    for share, said in ((0.0, 1), (0.025, 0)):
        for row in model["results"]:
            if (row["scorer"], row["ood_set"]) == (model["best"], name):
                row["fpr95_id"]["value"] = share
        text = Parsed(render_html(Run(document))).text
        assert text.count("a threshold that accepts 95 % of those rejects this whole set") == said
        assert "scores highest: as a threshold is lowered, these slip through first" in text


def test_without_thumbnails_there_is_no_section_of_images(document):
    document["models"][0]["extremes"] = None
    page = Parsed(render_html(Run(document)))
    assert "The images" not in page.text
    assert "m0-images" not in page.values("id")
    assert "#m0-images" not in page.values("href")


def test_terms_are_defined_once_and_only_where_they_are_used(document):
    every = [term["key"] for term in terms_of(document)]
    assert len(every) == len(set(every))
    assert "mixed" in every
    assert not {"shift", "ratio", "baseline", "search"} & set(every)
    document["models"][0] |= {"mixed": None, "baseline": "plain", "shifts": [1]}
    assert {"shift", "ratio", "baseline"} <= {term["key"] for term in terms_of(document)}
    assert "mixed" not in {term["key"] for term in terms_of(document)}


def test_every_term_but_those_of_the_evidence_is_linked_where_it_is_used(compared_run, compared):
    """KNN is named in the evidence, which is plain text; a set of density pictures by the best scorer's own."""
    defined = {f"#term-{term['key']}" for term in terms_of(compared_run.document)}
    assert defined - set(compared.values("href")) <= {"#term-knn", "#term-density"}


@pytest.mark.parametrize("code", ["input-suspect", "impaired-logits", "features-ahead", "sound-logits", "undetermined"])
def test_every_verdict_is_defined_and_its_badge_leads_there(document, code):
    document["models"][0]["verdict"]["code"] = code
    page = Parsed(render_html(Run(document)))
    assert f"#term-{code}" in page.values("href")
    assert f"term-{code}" in page.values("id")
    assert code.replace("-", " ") in page.text


def test_a_run_in_which_no_scorer_scored_has_a_report_too(document):
    (model,) = document["models"]
    model |= {"best": None, "extremes": None, "roc": [], "densities": model["densities"][:1], "mixed": None}
    for row in model["results"]:
        row |= {"auroc": None, "fpr95_ood": None, "fpr95_id": None, "reason": "it could not"}
    page = Parsed(render_html(Run(document)))
    assert page.text.count("not scored, see below") == len({row["scorer"] for row in model["results"]})
    assert "★" not in page.text
    assert "ROC curves" not in page.text


def test_without_figures_no_model_is_drawn_and_no_frame_is_left(compared_run):
    for model in compared_run.document["models"]:
        model["best"] = None
    assert not re.search(r'<figure class="picture">\s*</figure>', render_html(compared_run))


def test_one_image_of_each_list_is_no_images(run, monkeypatch):
    monkeypatch.setattr("oodkit.report.tiles.LARGEST", 1)
    assert "The first image of each list is shown" in render_html(run)


def test_a_scorer_that_had_nothing_to_learn_from_learnt_from_nothing(document):
    (model,) = document["models"]
    for row in model["results"]:
        row.update(fits_on="train", n_fit=0 if row["scorer"] == "mds" else 1)
    learnt = re.findall(r'<td class="text">(–|\d+ train images?| train images)</td><td class="text">', render_html(Run(document)))
    assert sorted(learnt) == [*["1 train image"] * (len(learnt) - 1), "–"]
