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
from oodkit.report.compare_models import ComparedModel, compared_models
from oodkit.report.compare_published import compare_published
from oodkit.report.document import Document, plain
from oodkit.report.runs import Run
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
    models = compared_models(runs)
    if len(models) < 2 and not published:
        raise UsageError(f"a comparison needs two models, got only {printable(models[0].label)}; give another RUN, or --published")
    sets, scorers = _common_sets(models), _common_scorers(models)
    groups = {name: models[0].groups[name] for name in sets}
    plan = _plan(sets, groups)
    best = [_best_scorer(model, sets, groups) for model in models]
    label, _, members = plan[-1]
    order = sorted(scorers, key=lambda scorer: -max(_mean_auroc(model, scorer, members, groups) for model in models))
    asked = {**({BEST: best} if len(set(best)) > 1 else {}), **{scorer: [scorer] * len(models) for scorer in order}}
    results = [row for scorer, own in asked.items() for row in _results(scorer, own, models, plan, groups)]
    tests = {"summary": _adjust([row for row in results if row["ood_set"] == label])}
    tests["sets"] = _adjust([row for row in results if row["ood_set"] != label])
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "oodkit": version("oodkit"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "models": [_model(model, models[0], best[number]) for number, model in enumerate(models)],
        "sets": [_set(name, groups[name], models) for name in sets],
        "summary": label,
        "tests": tests,
        "results": results,
        "settings": _differing(order, models),
        "left_out": _left_out(models, sets, scorers),
        "notes": _notes(models, sets, best, tests, label),
        "published": compare_published(models) if published else None,
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


def _common_sets(models: Sequence[ComparedModel]) -> list[str]:
    found = [name for name in models[0].groups if all(name in model.groups for model in models)]
    if not found:
        there = "; ".join(f"{model.label} has {', '.join(model.groups)}" for model in models)
        raise UsageError(f"no OOD set in common: {printable(there)}; diagnose on sets that are named alike")
    return found


def _common_scorers(models: Sequence[ComparedModel]) -> list[str]:
    found = [scorer for scorer in models[0].scores if all(scorer in model.scores for model in models)]
    if not found:
        there = "; ".join(f"{model.label} has {', '.join(model.scores)}" for model in models)
        raise UsageError(f"no scorer in common: {printable(there)}; diagnose with the same --scorer")
    return found


def _plan(sets: Sequence[str], groups: Mapping[str, str]) -> Plan:
    """A mean of a single set is left out: it would be tested twice."""
    return [row for row in rows_planned(sets, groups) if row[0] in sets or len(row[2]) > 1]


def _mean_auroc(model: ComparedModel, scorer: str, sets: Sequence[str], groups: Mapping[str, str]) -> float:
    aurocs = [model.rows[scorer, name]["auroc"]["value"] for name in sets]
    return float(np.dot(aurocs, mean_weights(sets, {name: groups[name] for name in sets})))


def _best_scorer(model: ComparedModel, sets: Sequence[str], groups: Mapping[str, str]) -> str:
    """Of all that the model has, whether or not the others have it."""
    return max(model.scores, key=lambda scorer: _mean_auroc(model, scorer, sets, groups))


def _results(
    scorer: str, own: Sequence[str], models: Sequence[ComparedModel], plan: Plan, groups: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The rows of one scorer: for each set and mean one for each model. own: what it is called in each."""
    sets = list(dict.fromkeys(name for _, _, members in plan for name in members))
    placed = [
        {name: place(model.scores[label]["id"], model.scores[label][name]) for name in sets}
        for model, label in zip(models, own, strict=True)
    ]
    rows = []
    for name, group, members in plan:
        weights = mean_weights(members, {one: groups[one] for one in members})
        weighed = [weigh([by_set[one] for one in members], weights) for by_set in placed]
        fprs = [_mean_fpr(model, label, members, weights) for model, label in zip(models, own, strict=True)]
        for number, model in enumerate(models):
            own_rows = [model.rows[own[number], one] for one in members]
            paired = all(model.same_images(models[0], one) for one in members)
            rows.append(
                {
                    "scorer": scorer,
                    "model": model.key,
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


def _mean_fpr(model: ComparedModel, scorer: str, sets: Sequence[str], weights: Sequence[float]) -> Estimate:
    return mean_estimate([Estimate(**model.rows[scorer, name]["fpr95_ood"]) for name in sets], weights)


def _against(own: Placements, first: Placements, own_fpr: Estimate, first_fpr: Estimate, *, paired: bool) -> dict[str, Any]:
    test = compare_paired(own, first) if paired else compare_unpaired(own, first)
    return {**plain(test), "p_holm": None, "paired": paired, "fpr95_ood": plain(difference(own_fpr, first_fpr))}


def _adjust(results: Sequence[dict[str, Any]]) -> int:
    """Write Holm's p-values into the rows, as those of one family; returns the number of tests."""
    tested = [row["against"] for row in results if row["against"]]
    for against, adjusted in zip(tested, holm([one["p_value"] for one in tested]), strict=True):
        against["p_holm"] = adjusted
    return len(tested)


def _model(model: ComparedModel, reference: ComparedModel, best: str) -> dict[str, Any]:
    told = None if model is reference else plain(difference(model.accuracy, reference.accuracy))
    return {**model.facts, "accuracy": plain(model.accuracy), "accuracy_difference": told, "best": best}


def _set(name: str, group: str, models: Sequence[ComparedModel]) -> dict[str, Any]:
    return {
        "name": name,
        "group": group,
        "n": {model.key: model.read[name]["n"] for model in models},
        "paired": {model.key: model.same_images(models[0], name) for model in models[1:]},
    }


def _differing(scorers: Sequence[str], models: Sequence[ComparedModel]) -> list[dict[str, Any]]:
    """Where a scorer is not the same thing in all models: the setting, and its value in each."""
    found = []
    for scorer in scorers:
        settings = [model.settings(scorer) for model in models]
        for name in dict.fromkeys(key for one in settings for key in one):
            values = [one.get(name) for one in settings]
            if any(value != values[0] for value in values):
                by_model = {model.key: value for model, value in zip(models, values, strict=True)}
                found.append({"scorer": scorer, "setting": name, "values": by_model})
    return found


def _left_out(models: Sequence[ComparedModel], sets: Sequence[str], scorers: Sequence[str]) -> list[dict[str, str]]:
    """What only some models have, and what keeps the others from having it."""
    found = []
    for kind, common, has in (
        ("set", sets, {model.key: list(model.groups) for model in models}),
        ("scorer", scorers, {model.key: list(model.scores) for model in models}),
    ):
        for name in dict.fromkeys(one for own in has.values() for one in own if one not in common):
            lacking = [model for model in models if name not in has[model.key]]
            why = "; ".join(f"{model.key}: {model.why_not(kind, name)}" for model in lacking)
            found.append({"kind": kind, "name": name, "why": why})
    return found


def _notes(
    models: Sequence[ComparedModel], sets: Sequence[str], best: Sequence[str], tests: Mapping[str, int], summary: str
) -> list[str]:
    first, others = models[0], models[1:]
    notes = []
    for model in others:
        unlike = [name for name in sets if not model.same_images(first, name)]
        if model.read["id"]["images"] != first.read["id"]["images"]:
            ids = ", ".join(f"{one.key} {one.facts['n_id']} of {one.facts['id_set']}" for one in (first, model))
            what = f"{first.key} and {model.key} were not tested on the same ID images ({ids})"
            notes.append(f"{what}: differences are taken as of independent images, and may be the images' as much as the models'")
        elif unlike:
            what = f"{first.key} and {model.key} did not read the same images of {', '.join(unlike)}"
            notes.append(f"{what}: there, and in the means over them, differences are taken as of independent images")
        classes, before = (one.facts["num_classes"] for one in (model, first))
        if classes != before:
            notes.append(f"{model.key} tells {classes} classes apart, {first.key} {before}: not the same task")
        if groups := [name for name in sets if model.groups[name] != first.groups[name]]:
            notes.append(f"{', '.join(groups)}: {model.groups[groups[0]]} in {model.key}, taken as {first.groups[groups[0]]}")
        notes += model.unlike(first)
    if others:
        notes += [
            f"p (Holm) is adjusted for all tests of its kind: {tests['summary']} of {summary}, {tests['sets']} of all else",
            "intervals of differences in accuracy and FPR@95 are those of independent images: too wide where they are the same",
        ]
    if len(set(best)) > 1:
        notes.append(f"{BEST}: {', '.join(f'{one} in {model.key}' for one, model in zip(best, models, strict=True))}, {PICKED}")
    return notes
