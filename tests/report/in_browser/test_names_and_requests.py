"""A page is quiet, asks for nothing, and is deaf to what a file is named."""

import pytest
from PIL import Image

from oodkit.report.html import write_html
from oodkit.report.runs import Run

from ..made_ablation import hostile_document  # noqa: TID252 (tests are no package)
from .pages import WIDTHS, WORSE, every_page, every_report, every_screen, worse


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
