"""One diagnosis run as a plain document: the JSON that is stored, printed and rendered. Fractions in [0, 1], never percent."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from oodkit.diagnosis import Diagnosis
from oodkit.evaluation import Scored

SCHEMA = 1
BINS = 48
SUMMARIES = ("near mean", "far mean", "mean")

Document = dict[str, Any]


def make_document(
    diagnoses: Sequence[Diagnosis],
    facts: Mapping[str, Mapping[str, Any]],
    sets: Sequence[Mapping[str, Any]],
    *,
    command: str,
    advice_base: str,
    settings: Mapping[str, Any],
) -> Document:
    """The document of a run.

    facts: what is known of each model, by name. sets: one mapping per image set (name, role, spec, counts, skipped files).
    advice_base: the options that name the image sets again, from which every advice gets its command.
    """
    return {
        "schema": SCHEMA,
        "kind": "diagnose",
        "oodkit": version("oodkit"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "versions": {"python": platform.python_version(), **_versions("torch", "torchvision", "timm", "numpy", "scikit-learn")},
        "settings": dict(settings),
        "sets": [dict(one) for one in sets],
        "models": [_model(diagnosis, facts[diagnosis.model], advice_base) for diagnosis in diagnoses],
    }


def best_result(model: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The row of the scorer with the highest mean AUROC; over near and far where both exist."""
    rows = [row for row in model["results"] if row["ood_set"] == summary_name(model) and row["auroc"]]
    return max(rows, key=lambda row: float(row["auroc"]["value"]), default=None)


def summary_result(model: Mapping[str, Any], scorer: str) -> Mapping[str, Any] | None:
    """One scorer's row for the most general mean."""
    rows = (row for row in model["results"] if (row["scorer"], row["ood_set"]) == (scorer, summary_name(model)))
    return next(rows, None)


def useful_summaries(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """The means worth a column: those over more than one set."""
    groups = {row["ood_set"]: row["group"] for row in results}
    sizes = {f"{group} mean": list(groups.values()).count(group) for group in groups.values()}
    return [name for name in SUMMARIES if name in groups and (name == "mean" or sizes[name] > 1)]


def summary_name(model: Mapping[str, Any]) -> str:
    """The most general mean that the rows hold: ``mean``, ``far mean`` or ``near mean``."""
    names = {row["ood_set"] for row in model["results"]}
    return next((name for name in reversed(SUMMARIES) if name in names), "mean")


def plain(value: Any) -> Any:
    """Dataclasses and named tuples as mappings, all the way down, so that JSON names every number."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def _model(diagnosis: Diagnosis, facts: Mapping[str, Any], advice_base: str) -> dict[str, Any]:
    verdict = plain(diagnosis.verdict)
    verdict["advice"] = [
        {
            "text": one.text,
            "command": _command(one.model or diagnosis.model, one.flags, advice_base) if one.model or one.flags else None,
        }
        for one in diagnosis.verdict.advice
    ]
    return {
        "name": diagnosis.model,
        "facts": dict(facts),
        "accuracy": plain(diagnosis.accuracy),
        "max_logits": plain(diagnosis.max_logits),
        "baseline": diagnosis.baseline,
        "shifts": plain(diagnosis.shifts),
        "results": plain(diagnosis.rows),
        "verdict": verdict,
        "densities": _densities(next(one for one in diagnosis.scored if one.name == "mls")),
    }


def _command(model: str, flags: str, base: str) -> str:
    return " ".join(part for part in ("oodkit diagnose", model, base, flags) if part)


def _densities(scored: Scored) -> dict[str, Any]:
    """Histograms of the maximal logit over one common range, as densities."""
    columns = {"ID": scored.id_scores, **scored.ood_scores}
    edges = np.histogram_bin_edges(np.concatenate(list(columns.values())), BINS)
    sets = {name: np.histogram(scores, edges, density=True)[0].round(6).tolist() for name, scores in columns.items()}
    return {"edges": edges.round(6).tolist(), "sets": sets}


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
