"""An assessment of synthetic images as Markdown and as CSV."""

from collections.abc import Iterator, Mapping
from typing import Any

from oodkit.report.document import Document
from oodkit.report.gfm import bullets, escape, fenced, how_made, section, table
from oodkit.report.qualities import maker_of, rows_of, sentence_of, title_of
from oodkit.report.quality_sheets import quality_sheets
from oodkit.report.remarks import in_pairs, versions_and_date
from oodkit.report.rows_csv import csv_text

OF_SETS = ("frechet", "kid", "kid_sd", "density", "coverage", "agreement", "confidence", "probe", "rank", "coverage_rank")
OF_NEAREST = ("median", "ratio", "near_copies", "p", "flagged")
OF_CLASSES = ("n", "kid", "kid_sd", "coverage", "agreement", "above")
CSV_COLUMNS = ("set", "class", "n", *OF_SETS, "above", *(f"nearest_{key}" for key in OF_NEAREST))


def quality_markdown(document: Document) -> str:
    """GitHub's Markdown: a heading, the sentence, the tables, the remarks, and how it was made."""
    tables = [block for sheet in quality_sheets(document) for block in section(sheet)]
    sets = [(one["name"], one["role"], one["spec"], maker_of(one), str(one["images"])) for one in document["image_sets"]]
    lines = [in_pairs(document["settings"]), versions_and_date(document)]
    made = [fenced(document["command"]), table(("set", "role", "source", "made by", "images"), sets, words=4), bullets(lines)]
    told = [f"## {escape(title_of(document))}", escape(sentence_of(document)), *tables, bullets(document["notes"])]
    return "\n\n".join(part for part in (*told, *how_made(*made)) if part) + "\n"


def quality_csv(document: Document) -> str:
    r"""RFC 4180 with a header and ``\n`` at each line's end: a line for each set, with an empty class, then one for each class.

    The floor is the set ``real``. Fractions in [0, 1]; what is null is empty.
    """
    return csv_text(CSV_COLUMNS, (line for row in rows_of(document) for line in _lines(row, document["n"])))


def _lines(row: Mapping[str, Any], n: int) -> Iterator[dict[str, Any]]:
    nearest = {f"nearest_{key}": row["nearest"][key] for key in OF_NEAREST}
    yield {"set": row["name"], "n": n, **{key: row[key] for key in OF_SETS}, **nearest}
    for one in row["classes"]:
        yield {"set": row["name"], "class": one["name"], **{key: one[key] for key in OF_CLASSES}}
