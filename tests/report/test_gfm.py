"""Names in Markdown: whatever they hold, a reader of the page sees them as they are, and nothing else happens."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from oodkit.report.gfm import escape, fenced, section, table
from oodkit.report.sheets import Sheet
from oodkit.wording import printable

PAGE = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SIGNS = st.text("\\`*_[]()<>&|~#+-=.:!@$1a \t\n\x1b\u2028é", max_size=12)

HOSTILE = [
    "<script>alert(1)</script>",
    "<!-- --> &amp; &#64; <b>",
    "a|b \\| c\\",
    "`code` ``x` ```",
    "*a* _b_ __c__ ~~d~~ \\*e",
    "[x](javascript:alert(1)) ![y](z) [^1] <https://e.org>",
    "# heading",
    "- item",
    "+",
    "--- ",
    "===",
    "1. one",
    "12) twelve",
    "> quote",
    "- [x] done",
    "    indented",
    "two\nlines\r\n\nand\ta tab \x1b[31m\udcff",
    "| a |",
    ":--|",
]
LATE = [
    ("ask @octocat or @org/team", r"(?<!\w)@\w"),
    ("see #123, o/r#45", r"#\d"),
    ("GH-12 gh-7", r"(?i)gh-\d"),
    ("write to a.b@example.org", r"\w@\w"),
    ("https://evil.example HTTP://x ftp://y", r"\w://"),
    ("WWW.evil.example www.x", r"(?i)www\.\w"),
    (":tada: :+1: :slightly_smiling_face:", r":[\w+-]+:"),
    ("$a^2$ and $$b$$", r"\$.+\$"),
]


def seen(html: str) -> str:
    """What a reader sees of HTML in which nothing but breaks of the text are tags."""
    assert set(re.findall(r"<[^>]*>", html)) <= {"<p>", "</p>", "<span>", "</span>"}, html
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()


def cells(markdown: str) -> list[str]:
    return re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", PAGE.render(markdown))


@pytest.mark.parametrize("text", [*HOSTILE, *(text for text, _ in LATE)])
def test_a_name_is_read_as_it_is_in_a_paragraph_an_item_and_a_cell(text):
    expected = printable(text).strip()
    assert seen(PAGE.render(escape(text))) == expected
    assert seen(PAGE.render(f"**{escape(text)}**").replace("<strong>", "").replace("</strong>", "")) == expected
    item = PAGE.render(f"- {escape(text)}")
    assert seen(re.sub(r"</?(ul|li)>", "", item)) == expected
    assert [seen(cell) for cell in cells(table(["name", "n"], [[text, "1"]]))] == ["name", "n", expected, "1"]


@given(SIGNS)
def test_no_mix_of_signs_gets_out(text):
    expected = printable(text).strip()
    assert seen(PAGE.render(escape(text))) == expected
    assert [seen(cell) for cell in cells(table([text, "n"], [[text, text]]))] == [expected, "n", expected, expected]


@pytest.mark.parametrize(("text", "pattern"), LATE)
def test_what_github_links_in_the_finished_page_is_broken_by_a_tag(text, pattern):
    """Its filters look at each stretch of text between two tags."""
    assert re.search(pattern, text)
    pieces = [unescape(piece) for piece in re.split(r"<[^>]*>", PAGE.render(escape(text)))]
    assert not [piece for piece in pieces if re.search(pattern, piece)]


@pytest.mark.parametrize(
    "text", ["resnet50.tv2", "demo:digits-v1", "+2.83 (+2.65 to +3.01)", "-0.5", "3.14", "99.18 / 3.93", "12 %"]
)
def test_ordinary_names_and_numbers_stay_readable(text):
    assert escape(text) == text


@pytest.mark.parametrize("line", ["oodkit x", "`", "a ``` b", "````", "~~~", "</code>"])
def test_no_line_ends_the_block_that_it_stands_in(line):
    assert PAGE.parse(fenced(line, "second"))[0].content == f"{line}\nsecond\n"
    assert len(PAGE.parse(fenced(line, "second"))) == 1


def test_a_code_block_has_no_control_characters():
    assert fenced("a\nb\x1b", language="python") == "```python\na\\nb\\x1b\n```"


def test_a_sheet_is_a_heading_a_caption_a_table_and_a_list():
    sheet = Sheet("a <set>", ["name", "n"], [["x", "1"], ["y|", "2"]], "counts; of images", bold=[(1, 1)], below=["- one"])
    assert section(sheet, level=2) == [
        r"## a \<set\>",
        "Counts; of images.",
        "| name | n |\n| --- | ---: |\n| x | 1 |\n| y\\| | **2** |",
        r"- \- one",
    ]
    assert section(Sheet("t", ["λ"], [["0"]], words=0)) == ["### t", "| λ |\n| ---: |\n| 0 |"]
