"""The report in a real browser: quiet, offline, readable on every screen and on paper, and deaf to what a file is named."""

import contextlib
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from PIL import Image

from oodkit.report.html import write_html
from oodkit.report.runs import Run

from .browser import Browser, Page, find_chromium
from .made_ablation import document_of, hostile_document, made
from .made_quality import hostile_run

CHECKS = f"globalThis.checks ??= {(Path(__file__).parent / 'checks.js').read_text(encoding='utf-8')}"
WORSE = "\"' autofocus onfocus=alert(2) </title></style></script></svg><svg onload=alert(3)>{{7*7}}" + 90 * "x"
REPORTS = ("hostile", "compared", "repaired", "real")
WITH_INTERVALS = (*REPORTS, "ablation-hostile")
PAGES = (*WITH_INTERVALS, "quality-hostile")
WIDTHS = {"desktop": 1280, "phone": 390}


def worse(value: Any) -> Any:
    """Every name that already tries to get out of the page tries harder; the same name stays the same wherever it stands."""
    match value:
        case str():
            return value + WORSE if "<" in value else value
        case dict():
            return {worse(key): worse(one) for key, one in value.items()}
        case list():
            return [worse(one) for one in value]
    return value


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not (executable := find_chromium()):
        pytest.skip("there is no Chromium on the PATH; apt-get install chromium, or set CHROMIUM to one")
    with contextlib.closing(Browser(executable)) as running:
        yield running


@pytest.fixture(scope="session")
def folder(tmp_path_factory, worker_id) -> Path:
    """One for all processes that the tests are spread over, so that every report is made once."""
    if worker_id == "master":
        return tmp_path_factory.mktemp("reports")
    shared = tmp_path_factory.getbasetemp().parent / "reports"
    shared.mkdir(exist_ok=True)
    return shared


def make_real(folder: Path) -> None:
    """What the command line writes of the shipped models: one that has no baseline, one that has, and mixed images."""
    from oodkit.cli import main

    models, running = ["demo:digits-v1", "demo:digits-v2"], ["--workers", "0", "--device", "cpu", "--quiet"]
    scorers = [word for name in ("mls", "msp", "react", "knn", "mds") for word in ("--scorer", name)]
    command = ["oodkit", "diagnose", *models, "--mixed", "--limit", "60", *scorers, *running]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OODKIT_CACHE", str(folder / "cache"))
        patch.setattr(sys, "argv", [*command, "--output", str(folder / "run"), "--report", str(folder / "real.html")])
        with pytest.raises(SystemExit) as stop:
            main()
    assert not stop.value.code


@pytest.fixture
def file(name: str, request, folder) -> Path:
    """The report of this name, made once in a session."""
    path = folder / f"{name}.html"
    with FileLock(folder / f"{name}.lock"):
        if not path.exists() and name == "real":
            make_real(folder)
        elif not path.exists() and name == "ablation-hostile":
            write_html(Run(worse(hostile_document())), path)
        elif not path.exists() and name == "quality-hostile":
            found = hostile_run()
            write_html(Run(worse(found.document), thumbnails=found.thumbnails), path)
        elif not path.exists():
            run = request.getfixturevalue({"hostile": "run", "compared": "compared_run", "repaired": "repaired_run"}[name])
            write_html(Run(worse(run.document), run.scores, run.thumbnails), path)
    return path


@pytest.fixture
def look(browser) -> Iterator[Any]:
    """Open a file, and whatever is folded in it: ``look(path, width=390, phone=True, dark=True)``."""
    with contextlib.ExitStack() as stack:

        def opened(path: Path, **view: Any) -> Page:
            page = stack.enter_context(contextlib.closing(browser.open(path, **view)))
            page.evaluate(f"{CHECKS}, checks.openAll()")
            return page

        yield opened


FAULTS = {
    "faintTexts()": "<p style='color: #999'>grey on white</p>",
    "faintTexts() ": "<svg width=90 height=30><title>a</title><path d='M0 0H90V30H0z' fill='#555'/><text y=20>on grey</text></svg>",
    "tinyTexts(8.5)": "<p style='font-size: 8px'>small</p>",
    "overflowing(1280)": "<p style='width: 1300px'>wide</p>",
    "clipped()": "<p style='width: 10px; overflow: auto'>incomprehensibly</p>",
    "repeatedIds()": "<p id=a></p><p id=a></p>",
    "deadReferences()": "<a href='#nowhere'>there</a>",
    "namelessTables()": "<table><tr><td>1</table>",
    "namelessPictures()": "<svg></svg>",
    "namelessControls()": "<button></button>",
    "emptyImages()": "<img src='data:image/png;base64,AAAA' alt=''>",
    "foreign()": "<img src='there.png'>",
    "handlers()": "<p onclick='alert(1)'>",
    "smallTargets()": "<button style='height: 19px'>sort by this</button>",
    "hiddenIntervals()": "<p><span title='95 % interval 1.00 to 2.00'>1.50</span>",
}


@pytest.mark.parametrize("check", FAULTS)
def test_every_check_notices_its_fault(check, look, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><body><h1>page</h1>{FAULTS[check]}", encoding="utf-8")
    assert len(look(page).evaluate(f"checks.{check}")) == 1


def test_no_check_finds_fault_with_a_sound_page(look, tmp_path):
    (tmp_path / "page.html").write_text("<!doctype html><body><h1>page</h1><p>text", encoding="utf-8")
    page = look(tmp_path / "page.html")
    assert [page.evaluate(f"checks.{check}") for check in FAULTS] == [[]] * len(FAULTS)


every_report = pytest.mark.parametrize("name", REPORTS)
every_page = pytest.mark.parametrize("name", PAGES)
every_screen = pytest.mark.parametrize("screen", WIDTHS)


@every_report
@every_screen
def test_it_is_quiet_whole_and_asks_for_nothing(file, look, screen, tmp_path):
    """No message, no exception, no dialog that a name opened, no request but the file; images are there; the page is not blank."""
    page = look(file, width=WIDTHS[screen], phone=screen == "phone")
    assert page.evaluate("checks.emptyImages()") == []
    assert page.evaluate("checks.images()") > 0
    page.screenshot(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as shot:
        assert shot.width >= WIDTHS[screen]
        assert len(shot.convert("RGB").getcolors(2**24)) > 50
    assert page.messages == []
    assert page.requests == [file.as_uri()]


def test_the_page_of_an_ablation_asks_for_nothing_and_its_pictures_are_there(folder, look):
    path = folder / "ablation.html"
    write_html(Run(worse(hostile_document())), path)
    page = look(path)
    assert page.messages == []
    assert page.requests == [path.as_uri()]
    assert page.evaluate("document.querySelectorAll('.picture svg').length") == 3


@pytest.mark.parametrize("name", ["quality-hostile"])
@every_screen
def test_the_page_of_an_assessment_asks_for_nothing_and_its_images_are_there(file, look, screen):
    """Below each other, and as many in each row."""
    page = look(file, width=WIDTHS[screen], phone=screen == "phone")
    assert page.messages == []
    assert page.requests == [file.as_uri()]
    assert page.evaluate("checks.emptyImages()") == []
    assert page.evaluate("document.querySelectorAll('.picture svg').length") == 3
    left = "[...one.querySelectorAll('.shots')].map(row => row.children[3].getBoundingClientRect().left)"
    grids = page.evaluate(f"[...document.querySelectorAll('#samples .samples')].map(one => {left})")
    assert len(grids) == 2
    assert all(len(set(grid)) == 1 for grid in grids)


def test_on_a_phone_an_ablations_links_are_shown_where_they_are_asked_for(folder, look):
    path = folder / "ablation-links.html"
    write_html(Run(document_of(made())), path)
    page, links = look(path, width=390, phone=True), "document.querySelector('#contents').getBoundingClientRect().height > 0"
    assert page.evaluate(links) is False
    page.evaluate("location.hash = '#contents'")
    assert page.evaluate(links) is True
    assert look(path, width=1000).evaluate(links) is True


NAMES_APART = """[...document.querySelectorAll('.picture svg')].map(svg => {
  const boxes = [...svg.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()]);
  return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([b, q]) =>
    Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 4
  ).map(([b]) => `${a} on ${b}`));
}).flat()"""


@pytest.mark.parametrize("screen", WIDTHS)
def test_no_name_of_eight_recipes_lies_on_another(folder, look, screen):
    path = folder / "eight.html"
    write_html(Run(document_of(made())), path)
    assert look(path, width=WIDTHS[screen], phone=screen == "phone").evaluate(NAMES_APART) == []


@every_page
@every_screen
def test_what_is_pressed_is_large_enough(file, look, screen):
    assert look(file, width=WIDTHS[screen], phone=screen == "phone").evaluate("checks.smallTargets()") == []


@every_page
def test_the_bar_cuts_nothing_off_on_a_small_phone(file, look):
    """Every link of it is seen whole; the switch has room beside the way back to them."""
    page = look(file, width=360, phone=True)
    cut = "[...document.querySelectorAll('.bar a, .bar label')].filter(one => one.getBoundingClientRect().right > 360 - 8)"
    assert page.evaluate(f"{cut}.map(one => one.textContent)") == []


@every_page
def test_no_name_becomes_an_element_or_a_handler(file, look):
    page = look(file)
    assert page.evaluate("checks.foreign()") == []
    assert page.evaluate("checks.handlers()") == []
    assert "49" not in page.evaluate("document.title")
    if file.stem == "hostile":
        text = page.evaluate("checks.texts()")
        for told in (f"<script>alert('set')</script>{WORSE}", "<img src=x onerror=alert(1)>", f"net<br>{WORSE}"):
            assert told in text


@every_page
@every_screen
def test_nothing_is_wider_than_the_screen(file, look, screen):
    """A phone would zoom out to show it, and every letter would shrink; wide tables scroll in boxes of their own."""
    page = look(file, width=WIDTHS[screen], phone=screen == "phone")
    assert page.evaluate(f"checks.overflowing({WIDTHS[screen]})") == []
    assert page.evaluate("checks.pageWidth()") <= WIDTHS[screen]


@pytest.mark.parametrize("name", ["real"])
@pytest.mark.parametrize("width", [800, 900, 1024, 1100, 1280])
def test_what_tells_most_is_seen_without_scrolling_a_table(file, look, width):
    """The gap and the means: a picture beside a table leaves it room, or stands above it."""
    page = look(file, width=width)
    heads = "[...document.querySelectorAll('th')].filter(one => /gap to ID|mean$/.test(one.innerText.trim()))"
    hidden = "one.getBoundingClientRect().right > one.closest('.scroll').getBoundingClientRect().right"
    assert len(page.evaluate(f"{heads}.map(one => one.innerText)")) > 5
    assert page.evaluate(f"{heads}.filter(one => {hidden}).map(one => one.innerText)") == []


@every_page
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_can_be_read(file, look, dark):
    """Contrasts of WCAG 2.2, level AA, over what lies behind, in pictures too; the page is as dark or light as was asked for."""
    page = look(file, dark=dark)
    assert (page.evaluate("checks.pageBackground()") < 0.05) is dark
    assert page.evaluate("checks.faintTexts()") == []


@every_page
def test_letters_are_not_tiny_on_a_phone(file, look):
    page = look(file, width=390, phone=True)
    assert page.evaluate("checks.tinyTexts(8.5)") == []


@every_page
def test_its_structure_can_be_heard(file, look):
    """One h1, no level left out, every table, picture and control has a name, ids are unique and lead somewhere."""
    page = look(file)
    levels = [level for level, _ in page.evaluate("checks.headings()")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for check in ("repeatedIds", "deadReferences", "namelessTables", "namelessPictures", "namelessControls"):
        assert page.evaluate(f"checks.{check}()") == [], check
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.title")


def figure(cell: str) -> float | None:
    """The number that a cell begins with; None for a dash or nothing."""
    found = re.match(r"([−-]?[\d,]*\.?\d+(?:e-\d+)?)", cell)
    return float(found[1].replace("−", "-").replace(",", "")) if found else None


def assert_in_order(cells: list[str], direction: str) -> None:
    """Numbers by size and not by letters, whatever has none last."""
    figures = [figure(cell) for cell in cells]
    known = [one for one in figures if one is not None]
    assert figures[: len(known)] == known, "what is missing comes last"
    assert known == sorted(known, reverse=direction == "descending")


@pytest.mark.parametrize("name", ["hostile", "compared", "repaired", "ablation-hostile", "quality-hostile"])
@pytest.mark.parametrize("how", ["click", "keyboard"])
def test_tables_are_sorted_by_any_column(file, look, name, how):
    page = look(file)
    columns = page.evaluate("checks.sortable()")
    assert len(columns) > 5
    numeric = 0
    for table, column in columns:
        header, rows = f"checks.header({table}, {column})", f"checks.rows({table})"
        before, seen, orders = page.evaluate(rows), set(), []
        for key in ("Enter", " "):
            if how == "click":
                page.click(header)
            else:
                page.evaluate(f"{header}.focus()")
                page.press(key)
            after, direction = page.evaluate(rows), page.evaluate(f"checks.sorted({table}, {column})")
            assert sorted(after) == sorted(before), "rows stay whole"
            seen.add(direction)
            orders.append([row[column] if column < len(row) else "" for row in after])
            if all(figure(cell) is not None or cell in {"", "–"} or cell.startswith("not scored") for cell in orders[-1]):
                assert_in_order(orders[-1], direction)
                numeric += 1
        assert seen == {"ascending", "descending"}
        if len(set(orders[0]) - {"", "–"}) > 1:
            assert orders[0] != orders[1]
        others = [page.evaluate(f"checks.sorted({t}, {c})") for t, c in columns if t == table and c != column]
        assert set(others) <= {None, "none"}
    assert numeric > 5
    assert page.messages == []


def test_a_hundred_comes_after_nine_and_nothing_comes_last(run, look, tmp_path):
    """As letters 100 would come before 9.5, and a dash before both."""
    values = {"mls": 1.0, "react": 0.095, "knn:k=5": 0.5}
    for row in run.document["models"][0]["results"]:
        if row["auroc"]:
            row["auroc"] = {"value": values.get(row["scorer"], 0.25), "low": 0.0, "high": 1.0}
    write_html(run, tmp_path / "report.html")
    page = look(tmp_path / "report.html")
    orders = {"ascending": [], "descending": []}
    for table, column in page.evaluate("checks.sortable()"):
        for _ in orders:
            page.evaluate(f"checks.header({table}, {column}).click()")
            figures = [figure(row[column]) for row in page.evaluate(f"checks.rows({table})") if column < len(row)]
            if {100.0, 9.5, 50.0} <= set(figures):
                orders[page.evaluate(f"checks.sorted({table}, {column})")].append(figures)
    assert orders["ascending"]
    for figures in orders["ascending"]:
        assert figures[:2] == [9.5, 25.0]
    for figures in orders["descending"]:
        assert figures[:2] == [100.0, 50.0]


@pytest.mark.parametrize("name", WITH_INTERVALS)
def test_intervals_can_be_had_without_a_mouse(file, look):
    """The keyboard alone reaches the switch that writes every interval beside its figure."""
    page = look(file, width=390, phone=True)
    assert page.evaluate("checks.hiddenIntervals()")
    for _ in range(40):
        page.press("Tab")
        if page.evaluate("document.activeElement.matches('input[type=checkbox]')"):
            break
    page.press(" ")
    assert page.evaluate("checks.hiddenIntervals()") == []
    assert page.evaluate("checks.overflowing(390)") == []


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
