"""The document's results as CSV: a line for each model, scorer and OOD set or mean."""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oodkit.report.document import Document
from oodkit.report.repairs import repair_of
from oodkit.wording import printable

COLUMNS = (
    "model",
    "head",
    "scorer",
    "spec",
    "settings",
    "fits_on",
    "n_fit",
    "id_set",
    "ood_set",
    "group",
    "n_id",
    "n_ood",
    "auroc",
    "auroc_low",
    "auroc_high",
    "fpr95_ood",
    "fpr95_ood_low",
    "fpr95_ood_high",
    "fpr95_id",
    "fpr95_id_low",
    "fpr95_id_high",
    "aupr_in",
    "aupr_out",
    "notes",
    "tuned",
    "reason",
)
CHANGE = ("against", "difference", "difference_low", "difference_high", "p_value", "p_holm", "changed")
ESTIMATES = ("auroc", "fpr95_ood", "fpr95_id")
COMPARED = ("difference", "low", "high", "p_value")
FORMULA = tuple("=+-@＝＋－＠'")
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


def render_csv(document: Document) -> str:
    r"""RFC 4180 with a header and ``\n`` at each line's end. Fractions in [0, 1], in full precision; what is null is empty.

    ``settings`` is JSON, ``notes`` are joined by semicolons. See ``cell`` for what is not written as it is. Of a repair the columns
    of ``CHANGE`` come last: in the lines of the repaired model the difference of the AUROC to the model ``against``.
    """
    repair = repair_of(document)
    changes = _changes(repair) if repair else {}
    columns = (*COLUMNS, *(CHANGE if repair else ()))
    rows = (
        {**_flat(result), **(changes.get((result["scorer"], result["ood_set"]), {}) if place else {})}
        for place, model in enumerate(document["models"])
        for result in model["results"]
    )
    return csv_text(columns, rows)


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A header and a line for each row, every value as a ``cell``; what a row lacks is empty. Raises ValueError for other keys."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _changes(repair: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """By scorer and set the cells of ``CHANGE``."""
    return {
        (row["scorer"], row["ood_set"]): dict(
            zip(
                CHANGE,
                (repair["before"], *(row["difference"][key] for key in COMPARED), row["p_holm"], row["changed"]),
                strict=True,
            )
        )
        for row in repair["changes"]
    }


def cell(value: Any) -> Any:
    """What is written for a value: numbers as they are, and text so that neither a terminal nor a spreadsheet obeys it.

    Control characters are spelled. A text that a spreadsheet would run as a formula (it starts with = + - or @, wide ones too, and
    is no number) gets an apostrophe before it (https://owasp.org/www-community/attacks/CSV_Injection), and so does one that
    starts with an apostrophe: to drop a leading apostrophe gives the text back.
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA) and not NUMBER.fullmatch(text) else text


def _flat(result: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: result[name] for name in COLUMNS if name in result}  # a later version may have added keys
    row = {**known, "settings": json.dumps(result["settings"]), "notes": "; ".join(result["notes"])}
    for name in ESTIMATES:
        estimate = result[name] or {}
        row |= {name: estimate.get("value"), f"{name}_low": estimate.get("low"), f"{name}_high": estimate.get("high")}
    return row
