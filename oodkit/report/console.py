"""Lines and tables on a terminal, or in a plain text file, in which no name is markup or an escape code."""

import sys
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from oodkit.report.sheets import Sheet
from oodkit.wording import printable

WIDEST = 2000  # columns; rich would cut what does not fit into fewer


def stdout_console() -> Console:
    """A console on stdout, without colours where it is no terminal.

    A table that is wider than the terminal is wrapped by it and not cut: a number that lost its digits is worse than ugly.
    """
    return Console(file=sys.stdout, highlight=False, width=WIDEST)


def file_console(file: TextIO) -> Console:
    """A console on a file, without colours whatever FORCE_COLOR says."""
    return Console(file=file, highlight=False, width=WIDEST, color_system=None)


def say(console: Console, line: str, style: str = "") -> None:
    """One line, which a terminal may wrap and nothing else does."""
    console.print(literal(line, style), soft_wrap=True)


def literal(text: str, style: str = "") -> Text:
    """The text as it is: brackets in it are no markup, and escape codes are spelled, not obeyed."""
    return Text(printable(text), style)


def print_sheet(console: Console, sheet: Sheet) -> None:
    """Its title, its table and the lines below it, with an empty line after them."""
    say(console, f"{sheet.title}: {sheet.caption}" if sheet.caption else sheet.title, "bold")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for at, name in enumerate(sheet.head):
        table.add_column(literal(name), justify="left" if at < sheet.words else "right", no_wrap=True)
    for place, row in enumerate(sheet.rows):
        table.add_row(*(literal(text, "bold green" if (place, at) in sheet.bold else "") for at, text in enumerate(row)))
    console.print(table)
    for line in sheet.below:
        say(console, line, "dim")
    console.print()
