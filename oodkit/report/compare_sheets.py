"""A comparison as sheets of text: what its tables have in their cells, on a terminal as in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oodkit.evaluation import MEANS
from oodkit.report.compare import BEST
from oodkit.report.document import Document
from oodkit.wording import decimal, p_value, signed

ALWAYS = ("mls", "knn")  # the verdict rests on them
DASH = "–"


@dataclass(frozen=True)
class Sheet:
    """A table. words: how many columns from the left are text. bold: cells to set off, by row and column. below: lines to add."""

    title: str
    head: list[str]
    rows: list[list[str]]
    words: int = 1
    bold: set[tuple[int, int]] = field(default_factory=set)
    below: list[str] = field(default_factory=list)


def sheets(document: Document) -> list[Sheet]:
    """The models, every scorer's mean, the sets one by one for the scorers that matter and, where asked for, published figures."""
    found = [_models(document["columns"])]
    if len(document["columns"]) > 1:
        found += _comparisons(document)
    return found + [_published(document, one) for one in document["published"] or [] if one["entries"]]


def remarks_on(document: Document) -> list[str]:
    """What is to be said below the tables."""
    differing = [f"{one['scorer']}: {one['setting']} {_by_column(one['values'])}" for one in document["settings"]]
    left_out = _together((f"{one['kind']}s left out", one["why"], one["name"]) for one in document["left_out"])
    missing = _together(
        ("no published figures", one["missing"], one["column"]) for one in document["published"] or [] if one["missing"]
    )
    return [*document["notes"], *differing, *left_out, *missing]


def _together(said: Iterable[tuple[str, str, str]]) -> list[str]:
    """What is said of several alike is said once. said: what it is about, what is said, and of which; either may be empty."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for about, text, name in said:
        found.setdefault((about, text), {})[name] = None
    heads = {key: ", ".join(one for one in (key[0], *names) if one) for key, names in found.items()}
    return [f"{head}: {key[1]}" if head else key[1] for key, head in heads.items()]


def _by_column(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{value} in {key}" for key, value in values.items())


def commands(document: Document) -> list[tuple[str, str]]:
    """The key and the command line of every column."""
    return [(one["key"], one["command"]) for one in document["columns"]]


def _models(columns: Sequence[Mapping[str, Any]]) -> Sheet:
    head = ["", "model", "run", "made", "verdict", "best scorer", "ID images", "ID accuracy"]
    rows = []
    for one in columns:
        facts = [one["key"], one["label"], one["run"], one["created"][:10], one["verdict"], one["best"], str(one["n_id"])]
        rows.append([*facts, _with_interval(one["accuracy"], sign=False)])
    if len(columns) > 1:
        head.append(f"minus {columns[0]['key']}")
        rows = [[*row, _with_interval(one["accuracy_difference"])] for row, one in zip(rows, columns, strict=True)]
    return Sheet("Models, accuracy in percent with its 95 % interval", head, rows, words=6)


def _comparisons(document: Document) -> list[Sheet]:
    summary, by_scorer = document["summary"], _by_scorer(document["results"])
    over = f" over {', '.join(one['name'] for one in document['sets'])}" if summary in MEANS else ""
    means = [([scorer], sets[summary]) for scorer, sets in by_scorer.items()]
    found = [_results(document, f"AUROC / FPR@95 in percent, {summary}{over}", ["scorer"], means)]
    matter = {BEST, *ALWAYS, *(one["best"] for one in document["columns"])}
    others = [([scorer, name], row) for scorer, sets in by_scorer.items() if scorer in matter for name, row in sets.items()]
    if others := [(names, row) for names, row in others if names[1] != summary]:
        found.append(_results(document, "AUROC / FPR@95 in percent, set by set", ["scorer", "set"], others))
    return found


def _by_scorer(results: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, list[Mapping[str, Any]]]]:
    """The results by scorer and set, those of all columns together."""
    found: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in results:
        found.setdefault(row["scorer"], {}).setdefault(row["ood_set"], []).append(row)
    return found


def _results(
    document: Document, title: str, named: Sequence[str], rows: Sequence[tuple[list[str], Sequence[Mapping[str, Any]]]]
) -> Sheet:
    """named: the head of the columns of text. rows: the cells of those, and the results of all columns."""
    keys = [one["key"] for one in document["columns"]]
    head = [*named, *keys]
    for key in keys[1:]:
        head += [f"{key} − {keys[0]}, AUROC", "p", "p (Holm)"]
    cells, bold = [], set()
    for number, (names, row) in enumerate(rows):
        line = [*names, *(f"{_percent(one['auroc'])} / {_percent(one['fpr95_ood'])}" for one in row)]
        for one in row[1:]:
            line += _difference(one["against"])
        cells.append(line)
        shown = [_percent(one["auroc"]) for one in row]
        top = max(range(len(row)), key=lambda at: row[at]["auroc"]["value"])
        if shown.count(shown[top]) == 1:
            bold.add((number, len(named) + top))
    return Sheet(title, head, cells, words=len(named), bold=bold)


def _difference(against: Mapping[str, Any]) -> list[str]:
    estimate = {"value": against["difference"], "low": against["low"], "high": against["high"]}
    paired = "" if against["paired"] else ", unpaired"
    return [_with_interval(estimate) + paired, p_value(against["p_value"]), p_value(against["p_holm"])]


def _published(document: Document, told: Mapping[str, Any]) -> Sheet:
    label = next(one["label"] for one in document["columns"] if one["key"] == told["column"])
    rows, said = [], [("", text, "") for text in told["cautions"]]
    for entry in told["entries"]:
        names = [entry["model"], entry["method"]]
        if entry["accuracy"]:
            rows.append([entry["source"], *names, DASH, "ID", "accuracy", *_three(entry["accuracy"])])
        for row in entry["rows"]:
            metric = {"auroc": "AUROC", "fpr95_ood": "FPR@95"}[row["metric"]]
            rows.append([row["source"], *names, row["scorer"], row["ood_set"], metric, *_three(row)])
            said += [("", text, row["scorer"]) for text in (row["note"] or "").split("; ") if text]
        said += [("", text, entry["method"]) for text in entry["cautions"]]
    sources = dict.fromkeys(f"{entry['source']}: {entry['citation']}" for entry in told["entries"])
    head = ["source", "model", "training", "scorer", "set", "figure", "measured", "published", "difference"]
    title = f"Published figures beside those of {told['column']}, {label}, in percent"
    return Sheet(title, head, rows, words=6, below=[*_together(said), *sources])


def _three(row: Mapping[str, float]) -> list[str]:
    return [f"{100 * row['measured']:.2f}", f"{100 * row['published']:.2f}", signed(100 * row["difference"], 2)]


def _percent(estimate: Mapping[str, float]) -> str:
    return f"{100 * estimate['value']:.2f}"


def _with_interval(estimate: Mapping[str, float] | None, *, sign: bool = True) -> str:
    if estimate is None:
        return DASH
    value, low, high = ((signed if sign else decimal)(100 * estimate[key], 2) for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
