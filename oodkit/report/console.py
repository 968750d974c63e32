"""Lines and tables on a terminal, or in a plain text file, in which no name is markup or an escape code."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from oodkit.wording import printable

WIDEST = 2000  # columns; rich would cut what does not fit into fewer


def stdout_console() -> Console:
    """A console on stdout, without colours where it is no terminal.

    A table that is wider than the terminal is wrapped by it and not cut: a number that lost its digits is worse than ugly.
    """
    return Console(file=sys.stdout, highlight=False, width=WIDEST)


def say(console: Console, line: str, style: str = "") -> None:
    """One line, which a terminal may wrap and nothing else does."""
    console.print(literal(line, style), soft_wrap=True)


def literal(text: str, style: str = "") -> Text:
    """The text as it is: brackets in it are no markup, and escape codes are spelled, not obeyed."""
    return Text(printable(text), style)


def print_table(console: Console, table: Table) -> None:
    """Its title on a line of its own: rich would break it to the width of the columns."""
    title, table.title = table.title, None
    console.print(title, soft_wrap=True)
    console.print(table)


def new_table(title: str, first: str, *columns: str) -> Table:
    """A table without rows; all columns but the first are aligned right."""
    table = Table(title=literal(title, "bold"), box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(literal(first), no_wrap=True)
    for column in columns:
        table.add_column(literal(column), justify="right", no_wrap=True)
    return table


def add_row(table: Table, *cells: str | Text, style: str | None = None) -> None:
    """A row of cells, each taken as it is; a Text keeps its own style."""
    table.add_row(*(literal(cell) if isinstance(cell, str) else cell for cell in cells), style=style)
