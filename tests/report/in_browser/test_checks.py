"""The checks that the other tests rest on: each notices its fault, and none finds one where there is none."""

import pytest

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
