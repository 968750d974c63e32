"""An ablation as Markdown and as CSV."""

from collections.abc import Iterator, Mapping
from typing import Any

from oodkit.report.ablation_settings import settings_in_words
from oodkit.report.ablation_sheets import ablation_sheets
from oodkit.report.ablations import MEAN, remarks_on, title_of
from oodkit.report.document import Document
from oodkit.report.gfm import bullets, escape, fenced, how_made, section, table
from oodkit.report.remarks import versions_and_date
from oodkit.report.rows_csv import csv_text

FIGURES = ("accuracy", "auroc", "fpr95_ood", "shift_ratio")
GAINS = tuple(f"{figure}_gain{end}" for figure in ("accuracy", "auroc") for end in ("", "_low", "_high", "_p", "_seeds"))
CSV_COLUMNS = (
    *("recipe", "head", "scorer", "ood_set", "group", "seeds"),
    *(f"{figure}{end}" for figure in FIGURES for end in ("", "_sd")),
    *("against", *GAINS),
)


def ablation_markdown(document: Document) -> str:
    """GitHub's Markdown: a heading, the tables, the remarks, and how it was made."""
    tables = [block for sheet in ablation_sheets(document, intervals=True) for block in section(sheet)]
    sets = [(one["name"], one["role"], one["spec"], str(one["images"])) for one in document["sets"]]
    seeds = f"{'seeds' if len(document['seeds']) > 1 else 'seed'} {', '.join(map(str, document['seeds']))}"
    lines = [seeds, *settings_in_words(document["settings"]), versions_and_date(document)]
    made = [fenced(document["command"]), table(("set", "role", "source", "images"), sets, words=3), bullets(lines)]
    parts = [f"## {escape(title_of(document))}", *tables, bullets(remarks_on(document)), *how_made(*made)]
    return "\n\n".join(part for part in parts if part) + "\n"


def ablation_csv(document: Document) -> str:
    r"""RFC 4180 with a header and ``\n`` at each line's end: a line for each recipe, head, scorer and OOD set or mean.

    Fractions in [0, 1], means over the seeds, ``_sd`` their standard deviation; what is null is empty. Gains, against the baseline
    as trained, stand in the lines of the mean alone.
    """
    return csv_text(CSV_COLUMNS, (line for row in document["rows"] for line in _lines(row, document)))


def _lines(row: Mapping[str, Any], document: Document) -> Iterator[dict[str, Any]]:
    names = {"recipe": row["recipe"], "head": row["head"], **_spread(row["accuracy"], "accuracy"), "seeds": row["accuracy"]["n"]}
    for scorer, aurocs in row["aurocs"].items():
        for place, auroc in aurocs.items():
            figures = {**_spread(auroc, "auroc"), **_spread(row["fpr95_ood"].get(scorer, {}).get(place), "fpr95_ood")}
            figures |= _spread((row["shift"] or {}).get(place) if scorer == "mls" else None, "shift_ratio")
            if place == MEAN and (gain := (row["gain"] or {}).get(scorer)) is not None:
                figures |= {"against": document["baseline"], **_gain(gain, "auroc"), **_gain(row["accuracy_gain"], "accuracy")}
            yield {**names, "scorer": scorer, "ood_set": place, "group": document["groups"].get(place, "mean"), **figures}


def _spread(spread: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    return {} if spread is None else {name: spread["mean"], f"{name}_sd": spread["sd"] if spread["n"] > 1 else None}


def _gain(gain: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    ends = {"": "mean", "_low": "low", "_high": "high", "_p": "p", "_seeds": "n"}
    return {} if gain is None else {f"{name}_gain{end}": gain[key] for end, key in ends.items()}
