"""The models of a comparison, those of every run, each with a name of its own."""

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oodkit.errors import InputError, UsageError
from oodkit.evaluation import MEANS
from oodkit.metrics import Estimate
from oodkit.report.document import Document
from oodkit.report.runs import Array, Run
from oodkit.scorers import parse_scorer
from oodkit.wording import printable

KEYS = string.ascii_uppercase
LEARNT = "images learnt from"


@dataclass(frozen=True, eq=False)
class ComparedModel:
    """One model of one run.

    key: A, B, C, … label: the model's name, and the run's where two models are named alike. told: what the run's document says of
    the model, and facts: what of that a comparison says again. rows: the run's results by scorer and OOD set. scores: by scorer and
    ``"id"`` or OOD set; of those scorers alone that gave scores. groups: ``"near"`` or ``"far"`` by OOD set. read: of each set the
    number of images and the hash of which they are.
    """

    key: str
    label: str
    run: str
    document: Document = field(repr=False)
    told: Mapping[str, Any] = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)
    rows: Mapping[tuple[str, str], Mapping[str, Any]] = field(repr=False)
    scores: Mapping[str, Mapping[str, Array]] = field(repr=False)
    groups: Mapping[str, str]
    read: Mapping[str, Mapping[str, Any]]

    @property
    def accuracy(self) -> Estimate:
        """ID accuracy, a fraction, with its interval."""
        return Estimate(**self.told["accuracy"])

    def same_images(self, other: "ComparedModel", name: str) -> bool:
        """Whether both read the same images, in the same order, of the ID set and of this OOD set."""
        return all(self.read[one]["images"] == other.read[one]["images"] for one in ("id", name))

    def settings(self, scorer: str) -> dict[str, Any]:
        """A scorer's settings as they were asked for, not those that it took from the images, and how many it learnt from."""
        row = next(row for (label, _), row in self.rows.items() if label == scorer)
        asked = parse_scorer(row["spec"], self.document["settings"]["preset"]).settings()
        return {**asked, **({LEARNT: row["n_fit"]} if row["fits_on"] else {})}

    def why_not(self, kind: str, name: str) -> str:
        """What keeps the model from having a set or a scorer."""
        reasons = [row["reason"] for (label, _), row in self.rows.items() if kind == "scorer" and label == name]
        return (reasons[0] or "its scores are not stored") if reasons else "not asked for"

    def unlike(self, other: "ComparedModel") -> list[str]:
        """How the run of the very same weights was set up otherwise."""
        mine, theirs = self.told["facts"], other.told["facts"]
        if mine.get("weights") is None or mine["weights"] != theirs.get("weights"):
            return []
        settings = [{**one.document["settings"], "thumbnails": None} for one in (self, other)]  # which move no figure
        changed = [*_changed(*settings), *_changed(mine["preprocessing"], theirs["preprocessing"])]
        return [f"{self.key} has the very weights of {other.key}; what differs: {'; '.join(changed) or 'none of the settings'}"]


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
    return ComparedModel(key, label, name, run.document, model, facts, rows, scores, groups, model["read"])


def _facts(document: Document, model: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": model["name"],
        "weights": model["facts"].get("weights"),
        "id_set": next(one["spec"] for one in document["sets"] if one["role"] == "id"),
        "n_id": model["read"]["id"]["n"],
        "num_classes": model["facts"]["num_classes"],
        "benchmark": document["inputs"]["sets"]["benchmark"],
        "verdict": model["verdict"]["code"],
        "command": document["command"],
        "created": document["created"],
        "oodkit": document["oodkit"],
    }


def _changed(own: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    return [f"{key} {own.get(key)}, not {before.get(key)}" for key in {**before, **own} if own.get(key) != before.get(key)]
