"""A comparison as Markdown and as CSV."""

from collections.abc import Iterator, Mapping
from typing import Any

from oodkit.report.compare_sheets import commands, placed, remarks_on, sheets
from oodkit.report.document import Document
from oodkit.report.gfm import bullets, fenced, section
from oodkit.report.rows_csv import csv_text

FIGURES = ("auroc", "fpr95_ood")
DIFFERENCES = ("difference", "difference_low", "difference_high", "p_value", "p_holm", "paired")
FPR_DIFFERENCES = ("fpr95_ood_difference", "fpr95_ood_difference_low", "fpr95_ood_difference_high")
CSV_COLUMNS = (
    *("source", "model", "run", "scorer", "spec", "ood_set", "group", "n_id", "n_ood"),
    *(f"{figure}{end}" for figure in ("accuracy", *FIGURES) for end in ("", "_low", "_high")),
    *("against", *DIFFERENCES, *FPR_DIFFERENCES, "notes"),
)


def comparison_markdown(document: Document) -> str:
    """GitHub's Markdown: a heading, the tables, the remarks, and the commands that the runs were made with."""
    tables = [block for sheet in sheets(document) for block in section(sheet)]
    parts = ["## Comparison", *tables, bullets(remarks_on(document)), fenced(*map("  ".join, commands(document)), language="text")]
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_csv(document: Document) -> str:
    r"""RFC 4180 with a header and ``\n`` at each line's end. Fractions in [0, 1]; what is null is empty.

    ``source`` is ``measured`` or whose published figure it is. A difference is that of the line to the model ``against``. The
    notes, joined by semicolons, tell of a published figure whose it is and why it need not agree with the measured one.
    """
    return csv_text(CSV_COLUMNS, (*_measured(document), *_published(document)))


def _measured(document: Document) -> Iterator[dict[str, Any]]:
    models = {one["key"]: one for one in document["models"]}
    first = document["models"][0]["label"]
    for row in document["results"]:
        model = models[row["model"]]
        flat = {name: row[name] for name in ("scorer", "spec", "ood_set", "group", "n_id", "n_ood")}
        flat |= _spread(model["accuracy"], "accuracy")
        for figure in FIGURES:
            flat |= _spread(row[figure], figure)
        yield {"source": "measured", "model": model["label"], "run": model["run"], **flat, **_against(row["against"], first)}


def _against(against: Mapping[str, Any] | None, label: str) -> dict[str, Any]:
    if against is None:
        return {}
    values = (against[key] for key in ("difference", "low", "high", "p_value", "p_holm", "paired"))
    fpr = (against["fpr95_ood"][key] for key in ("value", "low", "high"))
    return {"against": label, **dict(zip(DIFFERENCES, values, strict=True)), **dict(zip(FPR_DIFFERENCES, fpr, strict=True))}


def _spread(estimate: Mapping[str, float], name: str) -> dict[str, float]:
    return {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}


def _published(document: Document) -> Iterator[dict[str, Any]]:
    models = {one["key"]: one for one in document["models"]}
    for told in document["published"] or []:
        model = models[told["model"]]
        for entry in told["entries"]:
            for row in entry["rows"]:
                cautions = [*told["cautions"], *entry["cautions"], *row["notes"]]
                notes = "; ".join([f"{entry['model']}, {entry['method']} training", *cautions])
                figures = {"accuracy": entry["accuracy"]["published"], row["metric"]: row["published"]}
                names = {name: row[name] for name in ("scorer", "spec", "ood_set", "group")}
                whose = {"source": placed(entry["source"], row["place"]), "notes": notes}
                yield {**whose, **names, "model": model["label"], "run": model["run"], **figures}
