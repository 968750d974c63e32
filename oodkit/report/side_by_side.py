"""The columns of a comparison: every model of every run, with a name of its own."""

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
class Column:
    """One model of one run.

    key: A, B, C, … label: the model's name, and the run's where two models are named alike. rows: the run's results by scorer and
    OOD set. scores: by scorer and ``"id"`` or OOD set; of those scorers alone that gave scores. groups: ``"near"`` or ``"far"`` by
    OOD set. read: of each set the number of images and the hash of which they are.
    """

    key: str
    label: str
    run: str
    document: Document = field(repr=False)
    model: Mapping[str, Any] = field(repr=False)
    rows: Mapping[tuple[str, str], Mapping[str, Any]] = field(repr=False)
    scores: Mapping[str, Mapping[str, Array]] = field(repr=False)
    groups: Mapping[str, str]
    read: Mapping[str, Mapping[str, Any]]

    @property
    def accuracy(self) -> Estimate:
        """ID accuracy, a fraction, with its interval."""
        return Estimate(**self.model["accuracy"])

    @property
    def classes(self) -> int:
        """How many classes the model tells apart."""
        count: int = self.model["facts"]["num_classes"]
        return count

    @property
    def id_set(self) -> str:
        """The SET of the ID test images, as it was given."""
        return next(str(one["spec"]) for one in self.document["sets"] if one["role"] == "id")

    @property
    def facts(self) -> dict[str, Any]:
        """What a document says of the column beside its figures."""
        return {
            "key": self.key,
            "label": self.label,
            "model": self.model["name"],
            "run": self.run,
            "weights": self.model["facts"].get("weights"),
            "id_set": self.id_set,
            "n_id": self.read["id"]["n"],
            "num_classes": self.classes,
            "benchmark": self.document["inputs"]["sets"]["benchmark"],
            "verdict": self.model["verdict"]["code"],
            "command": self.document["command"],
            "created": self.document["created"],
            "oodkit": self.document["oodkit"],
        }

    def same_images(self, other: "Column", name: str) -> bool:
        """Whether both read the same images, in the same order, of the ID set and of this OOD set."""
        return all(self.read[one]["images"] == other.read[one]["images"] for one in ("id", name))

    def settings(self, scorer: str) -> dict[str, Any]:
        """A scorer's settings as they were asked for, not those that it took from the images, and how many it learnt from."""
        row = next(row for (label, _), row in self.rows.items() if label == scorer)
        asked = parse_scorer(row["spec"], self.document["settings"]["preset"]).settings()
        return {**asked, **({LEARNT: row["n_fit"]} if row["fits_on"] else {})}

    def why_not(self, kind: str, name: str) -> str:
        """What keeps a set or a scorer from being in the column."""
        reasons = [row["reason"] for (label, _), row in self.rows.items() if kind == "scorer" and label == name]
        return (reasons[0] or "its scores are not stored") if reasons else "not asked for"

    def unlike(self, other: "Column") -> list[str]:
        """How the run of the very same weights was set up otherwise."""
        mine, theirs = self.model["facts"], other.model["facts"]
        if mine.get("weights") is None or mine["weights"] != theirs.get("weights"):
            return []
        own, before = ({**one.document["settings"], **one.model["facts"]["preprocessing"]} for one in (self, other))
        own, before = ({key: value for key, value in one.items() if key != "thumbnails"} for one in (own, before))
        changed = [f"{key} {own.get(key)}, not {before.get(key)}" for key in {**before, **own} if own.get(key) != before.get(key)]
        return [f"{self.key} has the very weights of {other.key}; what differs: {'; '.join(changed) or 'none of the settings'}"]


def columns_of(runs: Sequence[tuple[str, Run]]) -> list[Column]:
    """The models of all runs in their order. Raises UsageError where there are too many, InputError where a run is damaged."""
    models = [(name, run, model) for name, run in runs for model in run.document["models"]]
    if not 1 <= len(models) <= len(KEYS):
        raise UsageError(f"a comparison is of 2 to {len(KEYS)} models, got {len(models)}; give other runs")
    twice = Counter(model["name"] for _, _, model in models)
    columns = []
    for key, (name, run, model) in zip(KEYS, models, strict=False):
        label = f"{model['name']} ({name})" if twice[model["name"]] > 1 else model["name"]
        try:
            columns.append(_column(key, label, name, run, model))
        except (KeyError, TypeError, AttributeError, StopIteration) as error:
            raise InputError(f"the result of {printable(name)} is damaged: it lacks {error}; diagnose again") from error
    return columns


def _column(key: str, label: str, name: str, run: Run, model: Mapping[str, Any]) -> Column:
    rows = {(row["scorer"], row["ood_set"]): row for row in model["results"]}
    scored = {scorer for (scorer, _), row in rows.items() if row["reason"] is None}
    stored = run.scores.get(model["name"], {})
    if scored and not scored & stored.keys():
        what = f"{printable(name)} has no scores of {printable(model['name'])} beside its result"
        raise InputError(f"{what} (scores.safetensors is missing, damaged or another run's); diagnose again")
    scores = {scorer: stored[scorer] for scorer, _ in rows if scorer in scored & stored.keys()}
    groups = {name: row["group"] for (_, name), row in rows.items() if name not in MEANS}
    column = Column(key, label, name, run.document, model, rows, scores, groups, model["read"])
    column.facts  # noqa: B018 (what a damaged result lacks is missed here, where the run is known)
    return column
