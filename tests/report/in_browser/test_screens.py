"""A page can be read, and heard, on every screen, in the light and in the dark."""

from itertools import pairwise

import pytest

from oodkit.report.html import write_html
from oodkit.report.runs import Run

from ..made_ablation import document_of, made  # noqa: TID252 (tests are no package)
from .pages import WIDTHS, WITH_INTERVALS, every_page, every_screen


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
