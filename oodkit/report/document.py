"""One diagnosis run as a plain document: the JSON that is stored, printed and rendered. Fractions in [0, 1], never percent."""

import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from oodkit.advice import Advice
from oodkit.curves import densities, robust_edges, roc_points
from oodkit.diagnosis import Diagnosis
from oodkit.evaluation import best, best_first, most_general_mean
from oodkit.extremes import Extremes
from oodkit.metrics import Vector
from oodkit.mixed_curve import MixedCurve, MixedRow
from oodkit.repair import Repair
from oodkit.scoring import Scored, by_label

SCHEMA = 2
KIND = "diagnose"  # a run of several models; the name of the schema of both kinds
REPAIR = "augdelete"  # the same of a model before and after its repair, and the repair itself
KINDS = (KIND, REPAIR)
ROC_SCORERS = 5

Document = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What was asked for.

    command: as it was typed. settings: those that figures depend on. inputs: what a later command needs to ask for the same again.
    advice_base: the options that name the image sets again, from which every advice gets its command. export_base: those that load
    the model again. refit_flags: those that ask for the same refit again, beside its share.
    """

    command: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, Any]
    advice_base: str = ""
    export_base: str = ""
    refit_flags: str = ""


@dataclass(frozen=True)
class Found:
    """What was found of one model.

    facts: what is known of it. read: by "id" or OOD set, how many images were read and a hash of which. mixed: the curve of mixed
    images, where it was asked for. extremes: the images that are to be shown.
    """

    diagnosis: Diagnosis
    facts: Mapping[str, Any]
    read: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mixed: MixedCurve | None = None
    extremes: Extremes | None = None


def make_document(
    found: Sequence[Found],
    sets: Sequence[Mapping[str, Any]],
    asked: Asked,
    *,
    baselines: Sequence[Diagnosis] = (),
    repair: Repair | None = None,
    train: Mapping[str, Any] | None = None,
) -> Document:
    """The document of a run; of a repair where there is one, of a diagnosis else.

    sets: one mapping per image set (name, role, spec, fingerprint, counts, skipped files). baselines: that the models
    of ``found`` name, where they are not among these themselves. repair: of the first of two models, of which the second is what
    came out. train: the images that it was refitted on: "spec", "images" (of the whole set), "taken" and "views".
    """
    by_name = {one.model: one for one in [*baselines, *(one.diagnosis for one in found)]}
    return {
        "schema": SCHEMA,
        "kind": REPAIR if repair else KIND,
        **heading(asked.command),
        "settings": dict(asked.settings),
        "sets": [dict(one) for one in sets],
        "models": [
            {
                **_model(one.diagnosis, one.facts, _Commands(asked, repair)),
                "read": plain(one.read),
                "mixed": _mixed(one.mixed) if one.mixed else None,
                "densities": _densities(one.diagnosis, by_name.get(one.diagnosis.baseline or "")),
                "roc": _roc(one.diagnosis),
                "extremes": plain(one.extremes),
            }
            for one in found
        ],
        "inputs": dict(asked.inputs),
        **({"repair": {**_repair(repair), "train": dict(train or {})}} if repair else {}),
    }


def heading(command: str) -> dict[str, Any]:
    """What every result of models says first: what ``stamp`` says, and with which libraries it was made."""
    libraries = _versions("torch", "torchvision", "timm", "numpy", "scikit-learn")
    return {**stamp(command), "versions": {"python": platform.python_version(), **libraries}}


def stamp(command: str) -> dict[str, Any]:
    """By which version a document is made, when, and by which command."""
    return {"oodkit": version("oodkit"), "created": datetime.now(UTC).isoformat(timespec="seconds"), "command": command}


def plain(value: Any) -> Any:
    """Dataclasses and named tuples as mappings, all the way down, so that JSON names every number."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class _Commands:
    """How the commands of advice are made."""

    asked: Asked
    repair: Repair | None

    def of(self, advice: Advice, model: str) -> str | None:
        """What to type. A repaired model has no name that could be typed: its head is in a file, or it is repaired again."""
        if not (advice.model or advice.flags):
            return None
        command, name, flags, base = advice.command, advice.model or model, advice.flags, self.asked.advice_base
        is_repaired = self.repair is not None and name == self.repair.after
        if self.repair and is_repaired:
            name = self.repair.before
        if command == "export":
            head = "--head RUN/head.safetensors " if is_repaired else ""
            base, flags = self.asked.export_base, f"{head}{self._with_own_images(flags)}"
        elif self.repair and is_repaired:
            again = f"--frac {self.repair.shares[-1].frac:g} {self.asked.refit_flags}".rstrip()
            command, flags = "augdelete", f"{again} {flags}".rstrip()
        return " ".join(part for part in (f"oodkit {command}", shlex.quote(name), _kept(base, flags), flags) if part)

    def _with_own_images(self, flags: str) -> str:
        """With what the run learnt from in the place of SET; without validation images that was a share of the training images."""
        words = shlex.split(self.asked.advice_base)
        given = {name: words[words.index(name) + 1] for name in ("--train", "--val") if name in words}
        given = {name: spec for name, spec in given.items() if spec != "none"}
        if "--train" in given and "--val" not in given:
            flags = flags.replace("--val SET", "--train SET")
        for name, spec in given.items():
            flags = flags.replace(f"{name} SET", f"{name} {shlex.quote(spec)}")
        return flags


def _kept(base: str, flags: str) -> str:
    """Of the options in ``base``, each with its value, those that ``flags`` does not give anew."""
    words, anew = shlex.split(base), set(shlex.split(flags))
    if anew.isdisjoint(words):
        return base
    kept: list[str] = []
    while words:
        own = words[: 1 if words[0] == "--allow-pickle" else 2]
        words = words[len(own) :]
        kept += [] if own[0] in anew else own
    return shlex.join(kept)


def _model(diagnosis: Diagnosis, facts: Mapping[str, Any], commands: _Commands) -> dict[str, Any]:
    verdict, top = plain(diagnosis.verdict), best(diagnosis.rows)
    verdict["advice"] = [{"text": one.text, "command": commands.of(one, diagnosis.model)} for one in diagnosis.verdict.advice]
    return {
        "name": diagnosis.model,
        "facts": dict(facts),
        "accuracy": plain(diagnosis.accuracy),
        "max_logits": plain(diagnosis.max_logits),
        "baseline": diagnosis.baseline,
        "shifts": plain(diagnosis.shifts),
        "tuning": [plain(one) for one in diagnosis.tuning if one.tried],
        "results": plain(diagnosis.rows),
        "summary": most_general_mean(diagnosis.rows),
        "best": None if top is None else top.scorer,
        "rivals": plain(diagnosis.rivals),
        "verdict": verdict,
    }


def _mixed(curve: MixedCurve) -> dict[str, Any]:
    baseline = None if curve.baseline is None else [_mixed_row(row) for row in curve.baseline]
    return {"rows": [_mixed_row(row) for row in curve.rows], "baseline": baseline, "sentence": curve.sentence}


def _mixed_row(row: MixedRow) -> dict[str, Any]:
    return {"lambda" if name == "lam" else name: value for name, value in plain(row).items()}


def _repair(repair: Repair) -> dict[str, Any]:
    """Without the head, which has a file of its own."""
    told = {one.name: getattr(repair, one.name) for one in fields(repair)}
    refit = {one.name: getattr(repair.refit, one.name) for one in fields(repair.refit) if one.name != "head"}
    return {name: plain(refit if name == "refit" else value) for name, value in told.items()}


def _densities(diagnosis: Diagnosis, baseline: Diagnosis | None) -> list[dict[str, Any]]:
    """The maximal logit, the baseline's and the model's, on common edges; then the best scorer's scores where that is another."""
    top = best(diagnosis.rows)
    logits = {one.model: by_label(one.scored)["mls"] for one in (baseline, diagnosis) if one}
    shown = _histograms(logits, "mls", "Maximal logit")
    if top is not None and top.scorer != "mls":
        shown += _histograms({diagnosis.model: by_label(diagnosis.scored)[top.scorer]}, top.scorer, f"Scores of {top.scorer}")
    return shown


def _histograms(scored: Mapping[str, Scored], label: str, title: str) -> list[dict[str, Any]]:
    """One for each model; on one set of edges."""
    columns = {model: {"ID": one.id_scores, **one.ood_scores} for model, one in scored.items()}
    inside = [one.id_scores for one in scored.values()]
    edges = robust_edges(inside[-1], [*inside[:-1], *(scores for one in scored.values() for scores in one.ood_scores.values())])
    known = {"scorer": label, "title": title}
    return [
        {**known, "model": model, "edges": edges.tolist(), "sets": {name: _shares(one, edges) for name, one in sets.items()}}
        for model, sets in columns.items()
    ]


def _shares(scores: Vector, edges: Vector) -> list[float]:
    return [float(f"{value:.6g}") for value in densities(scores, edges)]


def _roc(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """The curves of the five scorers whose summary mean is highest, best first, on every OOD set."""
    curves = []
    for label in [row.scorer for row in best_first(diagnosis.rows)[:ROC_SCORERS]]:
        scored = by_label(diagnosis.scored)[label]
        for name, scores in scored.ood_scores.items():
            x, y = roc_points(scored.id_scores, scores)
            curves.append(
                {"scorer": label, "ood_set": name, "ood_accepted": x.round(6).tolist(), "id_accepted": y.round(6).tolist()}
            )
    return curves


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
