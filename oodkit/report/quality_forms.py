"""An assessment of synthetic images as Markdown and as CSV."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from oodkit.report.document import Document
from oodkit.report.gfm import bullets, escape, fenced, section, table
from oodkit.report.qualities import maker_of, rows_of, sentence_of, title_of
from oodkit.report.quality_sheets import quality_sheets
from oodkit.report.rows_csv import cell

OF_SETS = ("frechet", "kid", "kid_sd", "density", "coverage", "agreement", "confidence", "probe", "rank", "coverage_rank")
OF_NEAREST = ("median", "ratio", "near_copies", "p", "flagged")
OF_CLASSES = ("n", "kid", "kid_sd", "coverage", "agreement", "above")
CSV_COLUMNS = ("set", "class", "n", *OF_SETS, "above", *(f"nearest_{key}" for key in OF_NEAREST))


def quality_markdown(document: Document) -> str:
    """GitHub's Markdown: a heading, the sentence, the tables, the remarks, and how it was made."""
    tables = [block for sheet in quality_sheets(document) for block in section(sheet)]
    sets = [(one["name"], one["role"], one["spec"], maker_of(one), str(one["images"])) for one in document["image_sets"]]
    versions = {"oodkit": document["oodkit"], **document["versions"], "made": document["created"]}
    given = {key: value for key, value in document["settings"].items() if value is not None}
    lines = [", ".join(f"{key} {value}" for key, value in facts.items()) for facts in (given, versions)]
    made = [fenced(document["command"]), table(("set", "role", "source", "made by", "images"), sets, words=4), bullets(lines)]
    parts = [f"## {escape(title_of(document))}", escape(sentence_of(document)), *tables, bullets(document["notes"])]
    folded = ["<details>\n<summary>How this was made</summary>", *made, "</details>"]
    return "\n\n".join(part for part in (*parts, *folded) if part) + "\n"


def quality_csv(document: Document) -> str:
    r"""RFC 4180 with a header and ``\n`` at each line's end: a line for each set, with an empty class, then one for each class.

    The floor is the set ``real``. Fractions in [0, 1]; what is null is empty.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows_of(document):
        for line in _lines(row, document["n"]):
            writer.writerow({name: cell(value) for name, value in line.items()})
    return text.getvalue()


def _lines(row: Mapping[str, Any], n: int) -> Iterator[dict[str, Any]]:
    nearest = {f"nearest_{key}": row["nearest"][key] for key in OF_NEAREST}
    yield {"set": row["name"], "n": n, **{key: row[key] for key in OF_SETS}, **nearest}
    for one in row["classes"]:
        yield {"set": row["name"], "class": one["name"], **{key: one[key] for key in OF_CLASSES}}
