"""A comparison as sheets of text: what its tables have in their cells, on a terminal as in Markdown."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oodkit.evaluation import GROUPS, MEANS
from oodkit.report.compare import BEST
from oodkit.report.compare_published import EDGE
from oodkit.report.document import Document
from oodkit.report.numerals import as_figure, number, with_interval
from oodkit.report.sheets import Sheet, auroc_and_fpr
from oodkit.wording import DASH, p_value

PAIRING = {"all": "", "part": ", paired in part", "none": ", unpaired"}
ALWAYS = ("mls", "knn")  # the verdict rests on them


def sheets(document: Document) -> list[Sheet]:
    """The models, every scorer's mean, the sets one by one for the scorers that matter and, where asked for, published figures."""
    found = [_models(document["models"])]
    if len(document["models"]) > 1:
        found += _comparisons(document)
    return found + [_published(document, one) for one in document["published"] or [] if one["entries"]]


def remarks_on(document: Document) -> list[str]:
    """What is to be said below the tables."""
    differing = [f"{one['input']}: {_by_model(one['values'])}" for one in document["inputs"]]
    differing += [f"{one['scorer']}: {one['setting']} {_by_model(one['values'])}" for one in document["settings"]]
    left_out = _together((f"{one['kind']}s left out", one["why"], one["name"]) for one in document["left_out"])
    missing = _together(
        ("no published figures", one["missing"], one["model"]) for one in document["published"] or [] if one["missing"]
    )
    return [*document["notes"], *differing, *left_out, *missing]


def _together(said: Iterable[tuple[str, str, str]]) -> list[str]:
    """What is said of several alike is said once. said: what it is about, what is said, and of which; either may be empty."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for about, text, name in said:
        found.setdefault((about, text), {})[name] = None
    heads = {key: ", ".join(one for one in (key[0], *names) if one) for key, names in found.items()}
    return [f"{head}: {key[1]}" if head else key[1] for key, head in heads.items()]


def _by_model(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{_in_words(value)} in {key}" for key, value in values.items())


def _in_words(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def commands(document: Document) -> list[tuple[str, str]]:
    """The key and the command line of every model."""
    return [(one["key"], one["command"]) for one in document["models"]]


def _models(models: Sequence[Mapping[str, Any]]) -> Sheet:
    head = ["", "model", "run", "made", "verdict", "best scorer", "ID images", "ID accuracy"]
    rows = []
    for one in models:
        facts = [one["key"], one["label"], one["run"], one["created"][:10], one["verdict"], one["best"], str(one["n_id"])]
        rows.append([*facts, with_interval(one["accuracy"])])
    if len(models) > 1:
        head += [f"minus {models[0]['key']}", "p"]
        rows = [[*row, *_accuracies(one["accuracy_difference"])] for row, one in zip(rows, models, strict=True)]
    return Sheet("Models, accuracy in percent with its 95 % interval", head, rows, words=6)


def _accuracies(difference: Mapping[str, Any] | None) -> list[str]:
    """The difference to the first model, and its p-value."""
    if difference is None:
        return [DASH, DASH]
    paired = "" if difference["paired"] else ", unpaired"
    return [with_interval(difference, sign=True) + paired, _p_or_dash(difference["p_value"])]


def _p_or_dash(p: float | None) -> str:
    return DASH if p is None else p_value(p)


def _comparisons(document: Document) -> list[Sheet]:
    summary, by_scorer = document["summary"], _by_scorer(document["results"])
    means = [([scorer], sets[summary]) for scorer, sets in by_scorer.items()]
    found = [_results(document, f"AUROC / FPR@95 in percent, {_summary(document)}", ["scorer"], means)]
    matter = {BEST, *ALWAYS, *(one["best"] for one in document["models"])}
    others = [([scorer, name], row) for scorer, sets in by_scorer.items() if scorer in matter for name, row in sets.items()]
    if others := [(names, row) for names, row in others if names[1] != summary]:
        found.append(_results(document, "AUROC / FPR@95 in percent, set by set", ["scorer", "set"], others))
    return found


def _summary(document: Document) -> str:
    """What the summary is the mean of: with sets of both groups of the two groups' means, whatever their sizes."""
    if document["summary"] not in MEANS:
        return str(document["summary"])
    named = {group: ", ".join(one["name"] for one in document["sets"] if one["group"] == group) for group in GROUPS}
    there = [f"{group} ({names})" for group, names in named.items() if names]
    return f"mean of {' and '.join(there)}"


def _by_scorer(results: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, list[Mapping[str, Any]]]]:
    """The results by scorer and set, those of all models together."""
    found: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in results:
        found.setdefault(row["scorer"], {}).setdefault(row["ood_set"], []).append(row)
    return found


def _results(
    document: Document, title: str, named: Sequence[str], rows: Sequence[tuple[list[str], Sequence[Mapping[str, Any]]]]
) -> Sheet:
    """named: the head of the columns of text. rows: the cells of those, and the results of all models."""
    keys = [one["key"] for one in document["models"]]
    head = [*named, *keys]
    for key in keys[1:]:
        head += [f"{key} − {keys[0]}, AUROC", "p", "p (Holm)"]
    cells, bold = [], set()
    for place, (names, row) in enumerate(rows):
        line = [*names, *map(auroc_and_fpr, row)]
        for one in row[1:]:
            line += _difference(one["against"])
        cells.append(line)
        shown = [number(one["auroc"]) for one in row]
        top = max(range(len(row)), key=lambda at: row[at]["auroc"]["value"])
        if shown.count(shown[top]) == 1:
            bold.add((place, len(named) + top))
    return Sheet(title, head, cells, words=len(named), bold=bold)


def _difference(against: Mapping[str, Any]) -> list[str]:
    if against["p_value"] is None:
        return [number(against["difference"], sign=True), DASH, DASH]
    shown = with_interval(as_figure(against), sign=True) + PAIRING[against["paired"]]
    return [shown, p_value(against["p_value"]), p_value(against["p_holm"])]


def _published(document: Document, told: Mapping[str, Any]) -> Sheet:
    label = next(one["label"] for one in document["models"] if one["key"] == told["model"])
    rows, said = [], [("", text, "") for text in told["cautions"]]
    for entry in told["entries"]:
        names = [entry["model"], entry["method"]]
        rows.append([entry["source"], *names, DASH, "ID", "accuracy", *_three(entry["accuracy"])])
        for row in entry["rows"]:
            metric = {"auroc": "AUROC", "fpr95_ood": "FPR@95"}[row["metric"]]
            rows.append([placed(entry["source"], row["place"]), *names, row["scorer"], row["ood_set"], metric, *_three(row)])
            said += [("", text, row["scorer"]) for text in row["notes"]]
        said += [("", text, entry["method"]) for text in entry["cautions"]]
    sources = dict.fromkeys(f"{entry['source']}: {entry['citation']}" for entry in told["entries"])
    head = ["source", "model", "training", "scorer", "set", "figure", "measured", "published", "difference"]
    title = f"Published figures beside those of {told['model']}, {label}, in percent"
    return Sheet(title, head, rows, "the measured ones with 95 % intervals", words=6, below=[EDGE, *_together(said), *sources])


def placed(source: str, place: str | None) -> str:
    """A source with the table in it."""
    return f"{source}, {place}" if place else source


def _three(row: Mapping[str, Any]) -> list[str]:
    return [with_interval(row["measured"]), number(row["published"]), number(row["difference"], sign=True)]
