"""Runs side by side: the figures of every model in them, and their differences to the first one's, as a plain document."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from oodkit.delong import Placements, compare_paired, compare_unpaired, mean_of_placements, place, weigh
from oodkit.errors import UsageError
from oodkit.evaluation import mean_weights, rows_planned
from oodkit.metrics import Estimate, difference, mean_estimate
from oodkit.report.compare_published import compare_published
from oodkit.report.document import Document, plain
from oodkit.report.runs import Run
from oodkit.report.side_by_side import Column, columns_of
from oodkit.wording import printable

SCHEMA = 1
KIND = "compare"
BEST = "best of each"
PICKED = "picked on these very sets, so that its figures are a little too good"

Plan = Sequence[tuple[str, str, list[str]]]  # name, group, and the sets that it is the mean of


def make_comparison(runs: Sequence[tuple[str, Run]], *, command: str, published: bool = False) -> Document:
    """The document of a comparison: every model of every run, held against the first.

    runs: each with a name, by which models that are named alike are told apart. published: whether to set published figures beside
    the measured ones. Scores are read from the runs; no image is.

    Sets are matched by name, scorers by label, and means are made anew over the sets that all models have. Differences are paired
    where both read the same images in the same order, else those of independent images. Raises UsageError where there are fewer
    than two models (with ``published``, none), and where they have no OOD set or no scorer in common; InputError for a damaged run.
    """
    columns = columns_of(runs)
    if len(columns) < 2 and not published:
        raise UsageError(f"a comparison needs two models, got only {printable(columns[0].label)}; give another RUN, or --published")
    sets, scorers = _common_sets(columns), _common_scorers(columns)
    groups = {name: columns[0].groups[name] for name in sets}
    plan = _plan(sets, groups)
    best = [_best_scorer(column, sets, groups) for column in columns]
    label, _, members = plan[-1]
    order = sorted(scorers, key=lambda scorer: -max(_mean_auroc(column, scorer, members, groups) for column in columns))
    asked = {**({BEST: best} if len(set(best)) > 1 else {}), **{scorer: [scorer] * len(columns) for scorer in order}}
    results = [row for scorer, own in asked.items() for row in _results(scorer, own, columns, plan, groups)]
    tests = {"summary": _adjust([row for row in results if row["ood_set"] == label])}
    tests["sets"] = _adjust([row for row in results if row["ood_set"] != label])
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "oodkit": version("oodkit"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "columns": [_column(column, columns[0], best[number]) for number, column in enumerate(columns)],
        "sets": [_set(name, groups[name], columns) for name in sets],
        "summary": label,
        "tests": tests,
        "results": results,
        "settings": _differing(order, columns),
        "left_out": _left_out(columns, sets, scorers),
        "notes": _notes(columns, sets, best, tests, label),
        "published": compare_published(columns) if published else None,
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for as many tests, in their order (Holm, Scandinavian Journal of Statistics 1979, 6:65–70).

    The k-th smallest of m is multiplied by m − k + 1; none becomes smaller than one before it, nor larger than 1. Whatever is
    below 0.05 then holds for all of them together.
    """
    order = np.argsort(p_values, kind="stable")
    raised = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(one) for one in adjusted]


def _common_sets(columns: Sequence[Column]) -> list[str]:
    found = [name for name in columns[0].groups if all(name in column.groups for column in columns)]
    if not found:
        there = "; ".join(f"{column.label} has {', '.join(column.groups)}" for column in columns)
        raise UsageError(f"no OOD set in common: {printable(there)}; diagnose on sets that are named alike")
    return found


def _common_scorers(columns: Sequence[Column]) -> list[str]:
    found = [scorer for scorer in columns[0].scores if all(scorer in column.scores for column in columns)]
    if not found:
        there = "; ".join(f"{column.label} has {', '.join(column.scores)}" for column in columns)
        raise UsageError(f"no scorer in common: {printable(there)}; diagnose with the same --scorer")
    return found


def _plan(sets: Sequence[str], groups: Mapping[str, str]) -> Plan:
    """A mean of a single set is left out: it would be tested twice."""
    return [row for row in rows_planned(sets, groups) if row[0] in sets or len(row[2]) > 1]


def _mean_auroc(column: Column, scorer: str, sets: Sequence[str], groups: Mapping[str, str]) -> float:
    aurocs = [column.rows[scorer, name]["auroc"]["value"] for name in sets]
    return float(np.dot(aurocs, mean_weights(sets, {name: groups[name] for name in sets})))


def _best_scorer(column: Column, sets: Sequence[str], groups: Mapping[str, str]) -> str:
    """Of all that the column has, whether or not the others have it."""
    return max(column.scores, key=lambda scorer: _mean_auroc(column, scorer, sets, groups))


def _results(
    scorer: str, own: Sequence[str], columns: Sequence[Column], plan: Plan, groups: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows of one scorer: for each set and mean one for each column. own: what it is called in each."""
    sets = list(dict.fromkeys(name for _, _, members in plan for name in members))
    placed = [
        {name: place(column.scores[label]["id"], column.scores[label][name]) for name in sets}
        for column, label in zip(columns, own, strict=True)
    ]
    rows = []
    for name, group, members in plan:
        weights = mean_weights(members, {one: groups[one] for one in members})
        weighed = [weigh([by_set[one] for one in members], weights) for by_set in placed]
        fprs = [_mean_fpr(column, label, members, weights) for column, label in zip(columns, own, strict=True)]
        for number, column in enumerate(columns):
            own_rows = [column.rows[own[number], one] for one in members]
            paired = all(column.same_images(columns[0], one) for one in members)
            rows.append(
                {
                    "scorer": scorer,
                    "column": column.key,
                    "spec": own_rows[0]["spec"],
                    "ood_set": name,
                    "group": group,
                    "n_id": own_rows[0]["n_id"],
                    "n_ood": sum(row["n_ood"] for row in own_rows),
                    "auroc": plain(mean_of_placements(weighed[number])),
                    "fpr95_ood": plain(fprs[number]),
                    "against": _against(weighed[number], weighed[0], fprs[number], fprs[0], paired=paired) if number else None,
                }
            )
    return rows


def _mean_fpr(column: Column, scorer: str, sets: Sequence[str], weights: Sequence[float]) -> Estimate:
    return mean_estimate([Estimate(**column.rows[scorer, name]["fpr95_ood"]) for name in sets], weights)


def _against(own: Placements, first: Placements, own_fpr: Estimate, first_fpr: Estimate, *, paired: bool) -> dict[str, Any]:
    test = compare_paired(own, first) if paired else compare_unpaired(own, first)
    return {**plain(test), "p_holm": None, "paired": paired, "fpr95_ood": plain(difference(own_fpr, first_fpr))}


def _adjust(results: Sequence[dict[str, Any]]) -> int:
    """Write Holm's p-values into the rows, as those of one family; returns the number of tests."""
    tested = [row["against"] for row in results if row["against"]]
    for against, adjusted in zip(tested, holm([one["p_value"] for one in tested]), strict=True):
        against["p_holm"] = adjusted
    return len(tested)


def _column(column: Column, reference: Column, best: str) -> dict[str, Any]:
    told = None if column is reference else plain(difference(column.accuracy, reference.accuracy))
    return {**column.facts, "accuracy": plain(column.accuracy), "accuracy_difference": told, "best": best}


def _set(name: str, group: str, columns: Sequence[Column]) -> dict[str, Any]:
    return {
        "name": name,
        "group": group,
        "n": {column.key: column.read[name]["n"] for column in columns},
        "paired": {column.key: column.same_images(columns[0], name) for column in columns[1:]},
    }


def _differing(scorers: Sequence[str], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Where a scorer is not the same thing in all columns: the setting, and its value in each."""
    found = []
    for scorer in scorers:
        settings = [column.settings(scorer) for column in columns]
        for name in dict.fromkeys(key for one in settings for key in one):
            values = [one.get(name) for one in settings]
            if any(value != values[0] for value in values):
                by_column = {column.key: value for column, value in zip(columns, values, strict=True)}
                found.append({"scorer": scorer, "setting": name, "values": by_column})
    return found


def _left_out(columns: Sequence[Column], sets: Sequence[str], scorers: Sequence[str]) -> list[dict[str, str]]:
    """What only some columns have, and what keeps the others from having it."""
    found = []
    for kind, common, has in (
        ("set", sets, {column.key: list(column.groups) for column in columns}),
        ("scorer", scorers, {column.key: list(column.scores) for column in columns}),
    ):
        for name in dict.fromkeys(one for own in has.values() for one in own if one not in common):
            lacking = [column for column in columns if name not in has[column.key]]
            why = "; ".join(f"{column.key}: {column.why_not(kind, name)}" for column in lacking)
            found.append({"kind": kind, "name": name, "why": why})
    return found


def _notes(
    columns: Sequence[Column], sets: Sequence[str], best: Sequence[str], tests: Mapping[str, int], summary: str
) -> list[str]:
    first, others = columns[0], columns[1:]
    notes = []
    for column in others:
        unlike = [name for name in sets if not column.same_images(first, name)]
        if column.read["id"]["images"] != first.read["id"]["images"]:
            ids = ", ".join(f"{one.key} {one.read['id']['n']} of {one.id_set}" for one in (first, column))
            what = f"{first.key} and {column.key} were not tested on the same ID images ({ids})"
            notes.append(f"{what}: differences are taken as of independent images, and may be the images' as much as the models'")
        elif unlike:
            what = f"{first.key} and {column.key} did not read the same images of {', '.join(unlike)}"
            notes.append(f"{what}: there, and in the means over them, differences are taken as of independent images")
        if column.classes != first.classes:
            notes.append(f"{column.key} tells {column.classes} classes apart, {first.key} {first.classes}: not the same task")
        if groups := [name for name in sets if column.groups[name] != first.groups[name]]:
            notes.append(f"{', '.join(groups)}: {column.groups[groups[0]]} in {column.key}, taken as {first.groups[groups[0]]}")
        notes += column.unlike(first)
    if others:
        notes += [
            f"p (Holm) is adjusted for all tests of its kind: {tests['summary']} of {summary}, {tests['sets']} of all else",
            "intervals of differences in accuracy and FPR@95 are those of independent images: too wide where they are the same",
        ]
    if len(set(best)) > 1:
        notes.append(f"{BEST}: {', '.join(f'{one} in {column.key}' for one, column in zip(best, columns, strict=True))}, {PICKED}")
    return notes
