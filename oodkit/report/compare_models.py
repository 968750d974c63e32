"""The models of a comparison, those of every run, each with a name of its own."""

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from oodkit.errors import InputError, UsageError
from oodkit.evaluation import MEANS
from oodkit.metrics import Estimate
from oodkit.report.document import Document
from oodkit.report.runs import Array, Run
from oodkit.wording import printable

KEYS = string.ascii_uppercase
LEARNT = "images learnt from"
OUTCOMES = {"temp_scaling": "temperature", "fsebo": "clip", "knn": "recall", "nnguide": "recall"}  # unless a spec sets them
FOUND = "found on the images"


@dataclass(frozen=True, eq=False)
class ComparedModel:
    """One model of one run.

    key: A, B, C, … label: the model's name, and the run's where two models are named alike. told: what the run's document says of
    the model, and facts: what of that a comparison says again. rows: the run's results by scorer and OOD set. scores: by scorer and
    ``"id"`` or OOD set; of those scorers alone that gave scores. correct: which ID images were classified correctly, as
    ``oodkit.accuracies.marks_of`` tells it; None where that is not stored. groups: ``"near"`` or ``"far"`` by OOD set. read: of
    each set the number of images and the hash of which they are.
    """

    key: str
    label: str
    run: str
    document: Document = field(repr=False)
    told: Mapping[str, Any] = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)
    rows: Mapping[tuple[str, str], Mapping[str, Any]] = field(repr=False)
    scores: Mapping[str, Mapping[str, Array]] = field(repr=False)
    correct: Array | None = field(repr=False)
    groups: Mapping[str, str]
    read: Mapping[str, Mapping[str, Any]]

    @property
    def accuracy(self) -> Estimate:
        """ID accuracy, a fraction, with its interval."""
        return Estimate(**self.told["accuracy"])

    def same_images(self, other: "ComparedModel", name: str) -> bool:
        """Whether both read the same images, in the same order, of ``"id"`` or an OOD set."""
        return bool(self.read[name]["images"] == other.read[name]["images"])

    def same_weights(self, other: "ComparedModel") -> bool:
        """Whether both are one network: its structure, its code and its weights."""
        return bool(self.told["facts"]["weights"] == other.told["facts"]["weights"])

    def same_function(self, other: "ComparedModel") -> bool:
        """Whether both are one network and are fed alike, so that no image could tell them apart."""
        return self.same_weights(other) and self.told["facts"]["preprocessing"] == other.told["facts"]["preprocessing"]

    def same_scores(self, other: "ComparedModel", scorer: str, sets: Sequence[str]) -> bool:
        """Whether the scores of the ID set and of these OOD sets are the same, image by image."""
        mine, theirs = self.scores[scorer], other.scores[scorer]
        return all(self.same_images(other, one) and np.array_equal(mine[one], theirs[one]) for one in ("id", *sets))

    def settings(self, scorer: str) -> dict[str, Any]:
        """A scorer's settings as they took effect, and how many images it learnt from; what it found on them is not told."""
        row = next(row for (label, _), row in self.rows.items() if label == scorer)
        kind, _, given = row["spec"].partition(":")
        asked = dict(part.partition("=")[::2] for part in given.split(","))
        took = {name: asked.get(name, FOUND) if name == OUTCOMES.get(kind) else value for name, value in row["settings"].items()}
        return {**took, **({LEARNT: row["n_fit"]} if row["fits_on"] else {})}

    def why_not(self, kind: str, name: str) -> str:
        """What keeps the model from having a set or a scorer."""
        reasons = [row["reason"] for (label, _), row in self.rows.items() if kind == "scorer" and label == name]
        return (reasons[0] or "its scores are not stored") if reasons else "not asked for"


def compared_models(runs: Sequence[tuple[str, Run]]) -> list[ComparedModel]:
    """The models of all runs in their order. Raises UsageError where there are too many, InputError where a run is damaged."""
    models = [(name, run, model) for name, run in runs for model in run.document["models"]]
    if not 1 <= len(models) <= len(KEYS):
        raise UsageError(f"a comparison is of 2 to {len(KEYS)} models, got {len(models)}; give other runs")
    twice = Counter(model["name"] for _, _, model in models)
    found = []
    for key, (name, run, model) in zip(KEYS, models, strict=False):
        label = f"{model['name']} ({name})" if twice[model["name"]] > 1 else model["name"]
        try:
            found.append(_compared(key, label, name, run, model))
        except (KeyError, TypeError, AttributeError, StopIteration) as error:
            raise InputError(f"the result of {printable(name)} is damaged: it lacks {error}; diagnose again") from error
    return found


def _compared(key: str, label: str, name: str, run: Run, model: Mapping[str, Any]) -> ComparedModel:
    rows = {(row["scorer"], row["ood_set"]): row for row in model["results"]}
    scored = {scorer for (scorer, _), row in rows.items() if row["reason"] is None}
    stored = run.scores.get(model["name"], {})
    if scored and not scored & stored.keys():
        what = f"{printable(name)} has no scores of {printable(model['name'])} beside its result"
        raise InputError(f"{what} (scores.safetensors is missing, damaged or another run's); diagnose again")
    scores = {scorer: stored[scorer] for scorer, _ in rows if scorer in scored & stored.keys()}
    groups = {name: row["group"] for (_, name), row in rows.items() if name not in MEANS}
    facts = {"key": key, "label": label, "run": name, **_facts(run.document, model)}
    marks = run.correct.get(model["name"])
    correct = marks if marks is not None and len(marks) == model["read"]["id"]["n"] else None
    return ComparedModel(key, label, name, run.document, model, facts, rows, scores, correct, groups, model["read"])


def _facts(document: Document, model: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": model["name"],
        "weights": model["facts"]["weights"],
        "id_set": next(one["spec"] for one in document["sets"] if one["role"] == "id"),
        "n_id": model["read"]["id"]["n"],
        "num_classes": model["facts"]["num_classes"],
        "benchmark": document["inputs"]["sets"]["benchmark"],
        "verdict": model["verdict"]["code"],
        "command": document["command"],
        "created": document["created"],
        "oodkit": document["oodkit"],
    }
