"""Markdown as GitHub reads it, in which no name becomes anything but text."""

import re
from collections.abc import Collection, Iterable, Sequence

from oodkit.report.sheets import Sheet
from oodkit.wording import printable

# The parser leaves these alone after a backslash: https://github.github.com/gfm/#backslash-escapes
MARKUP = re.compile(r"[\\`*_\[\]<>&|~]")
LISTS = re.compile(r"^(\d{1,9}(?=[.)](\s|$))|(?=[-+=](?![\d.])))")
# What becomes a link, an emoji or a formula only after parsing, in the page's text, where no backslash is left to stop it:
# @name, #1, GH-1, e-mail and web addresses, :tada:, $…$. A text that is broken by a tag is none of them; GitHub itself
# advises <span>$</span>: https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting
LATE = re.compile(r"[#$]|(?<!\w)@|@(?=[\w-]+\.)|:(?=//|[\w+\\-]+:)|(?<=www)\.|(?<=GH)-(?=\d)", re.IGNORECASE)


def escape(text: str) -> str:
    r"""The text for a paragraph, a list item, a heading or a cell of a table, on one line: ``<b>`` becomes ``\<b\>``."""
    safe = LATE.sub(r"<span>\g<0></span>", MARKUP.sub(r"\\\g<0>", printable(text).strip()))
    return LISTS.sub(r"\1\\", safe)


def fenced(*lines: str, language: str = "console") -> str:
    """The lines as a code block, in a fence longer than any run of backticks in them."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *map(printable, lines), fence])


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1, bold: Collection[tuple[int, int]] = ()) -> str:
    """A table of escaped cells. words: how many columns from the left are text; the others are numbers, aligned right.

    bold: cells to set off, by row and column.
    """
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    cells = [
        [f"**{escape(text)}**" if (line, at) in bold else escape(text) for at, text in enumerate(row)]
        for line, row in enumerate(rows)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in ([escape(name) for name in head], rule, *cells))


def bullets(lines: Iterable[str]) -> str:
    """A list of escaped items."""
    return "\n".join(f"- {escape(line)}" for line in lines)


def how_made(*blocks: str) -> list[str]:
    """The blocks that tell how a result was made, folded: the last of a text."""
    return ["<details>\n<summary>How this was made</summary>", *blocks, "</details>"]


def section(sheet: Sheet, level: int = 3) -> list[str]:
    """The sheet below a heading of the level: blocks to be set apart by empty lines."""
    caption = f"{sheet.caption[0].upper()}{sheet.caption[1:]}." if sheet.caption else ""
    drawn = table(sheet.head, sheet.rows, words=sheet.words, bold=sheet.bold)
    blocks = [f"{'#' * level} {escape(sheet.title)}", escape(caption), drawn, bullets(sheet.below)]
    return [block for block in blocks if block]
