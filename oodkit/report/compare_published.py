"""Published figures beside the measured ones, where the benchmark and the model are those that they were published for."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from oodkit.benchmarks import BENCHMARKS, Benchmark
from oodkit.report.compare_models import ComparedModel
from oodkit.report.document import plain
from oodkit.report.published import OPENOOD, SOURCES, STANDARD, Figure, figures_of, known_architectures, known_weights
from oodkit.scorers import SCORERS

FAR_APART = 0.005  # how images are resized, and in which precision the network runs, moves the accuracy by less
APART = "accuracies are more than half a point apart: other weights, preprocessing or images, so the figures need not agree"
EDGE = (
    "a measured figure's interval tells how much it moves from one sample of images to the next: "
    "a difference that it covers is no edge over the published one, which has an uncertainty of its own that is not told"
)
SEARCHED = "OpenOOD chose the settings on OOD validation images, as --tune benchmark does"


def compare_published(models: Sequence[ComparedModel]) -> list[dict[str, Any]]:
    """One object for each model: its ``entries``, and where there is none ``missing``, what would have figures.

    An entry is what one source says of one model and method: both accuracies, cautions, and a row for each figure that there is a
    measured one for. Those of standard training come first.
    """
    return [_of_model(model) for model in models]


def _of_model(model: ComparedModel) -> dict[str, Any]:
    benchmark = model.facts["benchmark"]
    same, figures = figures_of(model.told["name"], model.told["facts"], benchmark)
    entries = []
    ordered = sorted(figures, key=lambda one: (one.method != STANDARD, one.entry))
    for (name, method, source), own in groupby(ordered, key=lambda one: one.entry):
        if entry := _entry(model, same, list(own)):
            entries.append({"model": name, "method": method, "source": source, "citation": SOURCES[source], **entry})
    return {
        "model": model.key,
        "same_weights": same if entries else None,
        "cautions": _cautions(model, BENCHMARKS[benchmark]) if entries and benchmark in BENCHMARKS else [],
        "entries": entries,
        "missing": None if entries else _missing(benchmark),
    }


def _entry(model: ComparedModel, same: bool, figures: Sequence[Figure]) -> dict[str, Any] | None:
    rows = [row for one in figures for row in _rows(model, one)]
    if not rows:
        return None
    accuracy = next((one for one in figures if one.metric == "accuracy"), None)
    cautions = []
    if accuracy is not None:
        cautions += [accuracy.note] if accuracy.note else []
        cautions += [APART] if abs(model.accuracy.value - accuracy.value) > FAR_APART else []
    if not same:
        cautions.append("same architecture, not known to be the same weights")
    both = _both(plain(model.accuracy), None if accuracy is None else accuracy.value)
    return {"accuracy": both, "cautions": cautions, "rows": rows}


def _both(measured: Mapping[str, float], published: float | None) -> dict[str, Any]:
    """A measured figure with its interval, its published counterpart, and by how much the measured one is larger."""
    gap = None if published is None else round(measured["value"] - published, 6)
    return {"measured": dict(measured), "published": published, "difference": gap}


def _rows(model: ComparedModel, figure: Figure) -> list[dict[str, Any]]:
    """Of each of the run's scorers that has the figure's name."""
    found = []
    for scorer in model.scores:
        row = model.rows.get((scorer, figure.ood_set))
        if row is None or figure.metric == "accuracy" or row["spec"].partition(":")[0] != figure.scorer:
            continue
        searched = figure.source == OPENOOD and SCORERS[figure.scorer].grid and not model.told["tuning"]
        found.append(
            {
                "scorer": scorer,
                "spec": row["spec"],
                "printed": figure.printed,
                "ood_set": figure.ood_set,
                "group": row["group"],
                "metric": figure.metric,
                **_both(row[figure.metric], figure.value),
                "place": figure.place or None,
                "notes": [one for one in (figure.note, SEARCHED if searched else "") if one],
            }
        )
    return found


def _cautions(model: ComparedModel, benchmark: Benchmark) -> list[str]:
    """Where the images are not all of the benchmark's."""
    sets = {**benchmark.near, **benchmark.far, "id": benchmark.id["test"]}
    short = [
        f"{read['n']:,} of {sets[name].count:,} {'ID' if name == 'id' else name}"
        for name, read in model.read.items()
        if name in sets and sets[name].count not in {None, read["n"]}
    ]
    whole = {"fit": "train", "val": "val"}
    learnt: Mapping[str, int] = {one["role"]: one["read"] for one in model.document["sets"] if one["role"] in whole}
    fewer = [
        f"{count:,} of {benchmark.id[whole[role]].count:,} {whole[role]}"
        for role, count in learnt.items()
        if benchmark.id[whole[role]].count not in {None, count}
    ]
    return [f"not the whole benchmark: {', '.join(short + fewer)} images"] if short + fewer else []


def _missing(benchmark: str | None) -> str:
    if benchmark is None:
        return "they are for whole benchmarks, so diagnose with --benchmark NAME and not with sets of your own"
    known = ", ".join(known_weights(benchmark))
    own = ", ".join(known_architectures(benchmark))
    which = [f"there are figures of {known}"] if known else []
    which += [f"a file has those of its architecture, given by --arch or the checkpoint: {own}"] if own else []
    return "; ".join([f"none are known of this network on {benchmark}, or none of the scorers that were run", *which])
