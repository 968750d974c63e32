"""Runs side by side: the figures of every model in them, and their differences to the first one's, as a plain document."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from oodkit.accuracies import compare_accuracies
from oodkit.delong import NO_DIFFERENCE, Comparison, compare_placements, mean_of_placements, place, weigh
from oodkit.errors import UsageError
from oodkit.evaluation import mean_weights, rows_planned
from oodkit.holm import holm
from oodkit.metrics import Estimate, difference, mean_estimate
from oodkit.report.compare_models import ComparedModel, compared_models
from oodkit.report.compare_notes import differing_inputs, differing_settings, doubts_on, left_out, notes_on
from oodkit.report.compare_published import compare_published
from oodkit.report.document import Document, plain, stamp
from oodkit.report.remarks import doubt_of
from oodkit.report.runs import Run
from oodkit.wording import printable

SCHEMA = 1
KIND = "compare"
BEST = "best of each"
PICKED = "each picked on these very sets, so that its figures are a little too good, and their difference has no interval and no p"

Plan = Sequence[tuple[str, str, list[str]]]  # name, group, and the sets that it is the mean of


def make_comparison(runs: Sequence[tuple[str, Run]], *, command: str, published: bool = False) -> Document:
    """The document of a comparison: every model of every run, held against the first.

    runs: each with a name, by which models that are named alike are told apart. published: whether to set published figures beside
    the measured ones. Scores are read from the runs; no image is.

    Sets are matched by name, scorers by label, and means are made anew over the sets that all models have. Images that both models
    read in the same order are compared one by one, others as independent. Raises UsageError where there are fewer
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
    tests = _adjust_families(results, label)
    inputs = differing_inputs(models)
    return {
        "schema": SCHEMA,
        "kind": KIND,
        **stamp(command),
        "models": [_model(model, models[0], best[number]) for number, model in enumerate(models)],
        "sets": [_set(name, groups[name], models) for name in sets],
        "summary": label,
        "tests": tests,
        "results": results,
        "settings": differing_settings(order, models),
        "inputs": inputs,
        "left_out": left_out(models, sets, scorers),
        "notes": [*notes_on(models, sets, inputs), *doubts_on(models, order, sets[0]), *_on_tests(models, best, tests, label)],
        "published": compare_published(models) if published else None,
    }


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
    """Of all that the model has, whether or not the others have it; one in doubt only where all are, as in a diagnosis."""

    def merit(scorer: str) -> tuple[bool, float]:
        return doubt_of(model.rows[scorer, sets[0]]) is None, _mean_auroc(model, scorer, sets, groups)

    return max(model.scores, key=merit)


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
            row = {
                "scorer": scorer,
                "model": model.key,
                "spec": own_rows[0]["spec"],
                "ood_set": name,
                "group": group,
                "n_id": own_rows[0]["n_id"],
                "n_ood": sum(row["n_ood"] for row in own_rows),
                "auroc": plain(mean_of_placements(weighed[number])),
                "fpr95_ood": plain(fprs[number]),
                "against": None,
            }
            if number:
                identical = own[number] == own[0] and model.same_scores(models[0], own[0], members)
                shared = {one: model.same_images(models[0], one) for one in ("id", *members)}
                test = NO_DIFFERENCE if identical else compare_placements(weighed[number], weighed[0], list(shared.values()))
                fpr = Estimate(0.0, 0.0, 0.0) if identical else difference(fprs[number], fprs[0])
                row["against"] = _against(test, fpr, shared, identical=identical, tested=scorer != BEST)
            rows.append(row)
    return rows


def _mean_fpr(model: ComparedModel, scorer: str, sets: Sequence[str], weights: Sequence[float]) -> Estimate:
    return mean_estimate([Estimate(**model.rows[scorer, name]["fpr95_ood"]) for name in sets], weights)


def _against(test: Comparison, fpr: Estimate, shared: Mapping[str, bool], *, identical: bool, tested: bool) -> dict[str, Any]:
    """shared: of each image set whether it is the same. What was picked for its figures is not tested on the same images."""
    paired = "all" if all(shared.values()) else "part" if any(shared.values()) else "none"
    told = {**plain(test), "p_holm": None, "paired": paired, "unpaired": [name for name, same in shared.items() if not same]}
    told |= {"identical": identical, "fpr95_ood": plain(fpr)}
    if not tested:
        told |= dict.fromkeys(("low", "high", "p_value"))
        told["fpr95_ood"] |= dict.fromkeys(("low", "high"))
    return told


def _adjust_families(results: Sequence[Mapping[str, Any]], summary: str) -> dict[str, int]:
    """Write Holm's p-values into the rows, those of the summary as one family and all others as another; returns their sizes.

    Scores that are the same image by image leave nothing to test: their p-values are 1 and no family grows by them.
    """
    tested = [row for row in results if row["against"] and row["scorer"] != BEST]
    counted = [row for row in tested if not row["against"]["identical"]]
    for row in tested:
        row["against"]["p_holm"] = 1.0
    sizes = {}
    for name in ("summary", "sets"):
        family = [row["against"] for row in counted if (row["ood_set"] == summary) == (name == "summary")]
        sizes[name] = len(family)
        for one, adjusted in zip(family, holm([one["p_value"] for one in family]), strict=True):
            one["p_holm"] = adjusted
    return {**sizes, "identical": len(tested) - len(counted)}


def _model(model: ComparedModel, reference: ComparedModel, best: str) -> dict[str, Any]:
    told = None if model is reference else _accuracies(model, reference)
    return {**model.facts, "accuracy": plain(model.accuracy), "accuracy_difference": told, "best": best}


def _accuracies(model: ComparedModel, reference: ComparedModel) -> dict[str, Any]:
    """Image by image where both read the same ones, and which they had right is stored; else as of independent images."""
    if model.correct is None or reference.correct is None or not model.same_images(reference, "id"):
        return {**plain(difference(model.accuracy, reference.accuracy)), "p_value": None, "paired": False}
    found = compare_accuracies(model.correct, reference.correct)
    if model.same_function(reference) and np.array_equal(model.correct, reference.correct):
        found = NO_DIFFERENCE
    return {"value": found.difference, "low": found.low, "high": found.high, "p_value": found.p_value, "paired": True}


def _set(name: str, group: str, models: Sequence[ComparedModel]) -> dict[str, Any]:
    return {
        "name": name,
        "group": group,
        "n": {model.key: model.read[name]["n"] for model in models},
        "paired": {model.key: all(model.same_images(models[0], one) for one in ("id", name)) for model in models[1:]},
    }


def _on_tests(models: Sequence[ComparedModel], best: Sequence[str], tests: Mapping[str, int], summary: str) -> list[str]:
    notes = []
    if len(models) > 1:
        counted = f"p (Holm) is adjusted for all tests of its kind: {tests['summary']} of {summary}, {tests['sets']} of all else"
        are = "is" if tests["identical"] == 1 else "are"
        same = f"; {tests['identical']} {are} of scores that are the same image by image and {are} not counted"
        notes.append(counted + (same if tests["identical"] else ""))
        notes.append("intervals of differences in FPR@95 are those of independent images: too wide where they are the same")
    if len(set(best)) > 1:
        notes.append(f"{BEST}: {', '.join(f'{one} in {model.key}' for one, model in zip(best, models, strict=True))}, {PICKED}")
    return notes
