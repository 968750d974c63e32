"""Markdown as GitHub reads it, in which no name becomes anything but text."""

import re
from collections.abc import Iterable, Mapping, Sequence

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


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """A table of escaped cells. words: how many columns from the left are text; the others are numbers, aligned right."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(
        f"| {' | '.join(line)} |" for line in ([escape(name) for name in head], rule, *(map(escape, row) for row in rows))
    )


def percent(figure: Mapping[str, float] | float | None, digits: int = 2) -> str:
    """A fraction, or the value of an estimate of one, in percent; a dash where there is none."""
    value = figure["value"] if isinstance(figure, Mapping) else figure
    return "–" if value is None else f"{100 * value:.{digits}f}"


def percent_with_interval(estimate: Mapping[str, float] | None) -> str:
    """``99.59 % (99.41 to 99.72)``."""
    return "–" if estimate is None else f"{percent(estimate)} % ({percent(estimate['low'])} to {percent(estimate['high'])})"


def number_with_interval(estimate: Mapping[str, float] | None, spec: str) -> str:
    """``+2.83 (+2.65 to +3.01)``, each number as ``spec`` says, ``+.2f`` for example."""
    if estimate is None:
        return "–"
    value, low, high = (format(estimate[key], spec).replace("-", "−") for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
