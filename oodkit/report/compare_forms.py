"""A comparison for a terminal, as Markdown and as CSV."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from oodkit.report.compare_sheets import Sheet, commands, remarks_on, sheets
from oodkit.report.document import Document
from oodkit.report.gfm import escape, fenced
from oodkit.report.rows_csv import cell

FIGURES = ("auroc", "fpr95_ood")
DIFFERENCES = ("difference", "difference_low", "difference_high", "p_value", "p_holm", "paired")
FPR_DIFFERENCES = ("fpr95_ood_difference", "fpr95_ood_difference_low", "fpr95_ood_difference_high")
CSV_COLUMNS = (
    *("source", "model", "run", "scorer", "spec", "ood_set", "group", "n_id", "n_ood"),
    *(f"{figure}{end}" for figure in FIGURES for end in ("", "_low", "_high")),
    *("against", *DIFFERENCES, *FPR_DIFFERENCES, "note"),
)


def print_comparison(document: Document) -> None:
    """Print the tables and the remarks to stdout."""
    from rich.text import Text

    from oodkit.report.console import add_row, literal, new_table, print_table, say, stdout_console

    console = stdout_console()
    for number, sheet in enumerate(sheets(document)):
        table = new_table(sheet.title, *sheet.head)
        for column in table.columns[: sheet.words]:
            column.justify = "left"
        for line, row in enumerate(sheet.rows):
            cells: list[str | Text] = [
                literal(text, "bold green") if (line, at) in sheet.bold else text for at, text in enumerate(row)
            ]
            add_row(table, *cells)
        print_table(console, table)
        for remark in sheet.below:
            say(console, remark, "dim")
        if number == 0:
            for key, command in commands(document):
                say(console, f"{key}  {command}", "dim")
        console.print()
    for remark in remarks_on(document):
        say(console, remark, "dim")


def comparison_markdown(document: Document) -> str:
    """GitHub's Markdown: a heading, the tables, the remarks, and the commands that the runs were made with."""
    parts = ["## Comparison"]
    for sheet in sheets(document):
        parts += [f"**{escape(sheet.title)}**", _markdown_table(sheet), *(escape(line) for line in sheet.below)]
    parts.append("\n".join(f"- {escape(line)}" for line in remarks_on(document)))
    parts.append(fenced(*(f"{key}  {command}" for key, command in commands(document)), language="text"))
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_csv(document: Document) -> str:
    r"""RFC 4180 with a header and ``\n`` at each line's end. Fractions in [0, 1]; what is null is empty.

    ``source`` is ``measured`` or whose published figure it is. A difference is that of the line to the model ``against``.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in (*_measured(document), *_published(document)):
        writer.writerow({name: cell(value) for name, value in row.items()})
    return text.getvalue()


def _markdown_table(sheet: Sheet) -> str:
    rule = ["---"] * sheet.words + ["---:"] * (len(sheet.head) - sheet.words)
    cells = [
        [f"**{escape(text)}**" if (line, at) in sheet.bold else escape(text) for at, text in enumerate(row)]
        for line, row in enumerate(sheet.rows)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in ([escape(name) for name in sheet.head], rule, *cells))


def _measured(document: Document) -> Iterator[dict[str, Any]]:
    columns = {one["key"]: one for one in document["columns"]}
    first = document["columns"][0]["label"]
    for row in document["results"]:
        column = columns[row["column"]]
        flat = {name: row[name] for name in ("scorer", "spec", "ood_set", "group", "n_id", "n_ood")}
        for figure in FIGURES:
            flat |= _spread(row[figure], figure)
        yield {"source": "measured", "model": column["label"], "run": column["run"], **flat, **_against(row["against"], first)}


def _against(against: Mapping[str, Any] | None, label: str) -> dict[str, Any]:
    if against is None:
        return {}
    values = (against[key] for key in ("difference", "low", "high", "p_value", "p_holm", "paired"))
    fpr = (against["fpr95_ood"][key] for key in ("value", "low", "high"))
    return {"against": label, **dict(zip(DIFFERENCES, values, strict=True)), **dict(zip(FPR_DIFFERENCES, fpr, strict=True))}


def _spread(estimate: Mapping[str, float], name: str) -> dict[str, float]:
    return {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}


def _published(document: Document) -> Iterator[dict[str, Any]]:
    columns = {one["key"]: one for one in document["columns"]}
    for told in document["published"] or []:
        column = columns[told["column"]]
        for entry in told["entries"]:
            for row in entry["rows"]:
                note = "; ".join([f"{entry['model']}, {entry['method']} training", *([row["note"]] if row["note"] else [])])
                names = {name: row[name] for name in ("source", "scorer", "spec", "ood_set", "note")}
                yield {**names, "model": column["label"], "run": column["run"], row["metric"]: row["published"], "note": note}
