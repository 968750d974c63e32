"""One diagnosis run as a plain document: the JSON that is stored, printed and rendered. Fractions in [0, 1], never percent."""

import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from oodkit.diagnosis import Diagnosis
from oodkit.evaluation import best, most_general_mean
from oodkit.mixed_curve import MixedCurve, MixedRow
from oodkit.scoring import Scored

SCHEMA = 1
BINS = 48

Document = dict[str, Any]


def make_document(
    diagnoses: Sequence[Diagnosis],
    facts: Mapping[str, Mapping[str, Any]],
    sets: Sequence[Mapping[str, Any]],
    *,
    command: str,
    advice_base: str,
    settings: Mapping[str, Any],
    mixed: Mapping[str, MixedCurve] | None = None,
) -> Document:
    """The document of a run.

    facts: what is known of each model, by name. sets: one mapping per image set (name, role, spec, counts, skipped files).
    advice_base: the options that name the image sets again, from which every advice gets its command. mixed: the
    curves of mixed images, by model, where they were asked for.
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
        "models": [_model(one, facts[one.model], advice_base, (mixed or {}).get(one.model)) for one in diagnoses],
    }


def plain(value: Any) -> Any:
    """Dataclasses and named tuples as mappings, all the way down, so that JSON names every number."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def _model(diagnosis: Diagnosis, facts: Mapping[str, Any], advice_base: str, mixed: MixedCurve | None) -> dict[str, Any]:
    verdict, top = plain(diagnosis.verdict), best(diagnosis.rows)
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
        "mixed": None if mixed is None else _mixed(mixed),
        "tuning": [plain(one) for one in diagnosis.tuning if one.tried],
        "results": plain(diagnosis.rows),
        "summary": most_general_mean(diagnosis.rows),
        "best": None if top is None else top.scorer,
        "verdict": verdict,
        "densities": _densities(next(one for one in diagnosis.scored if one.name == "mls")),
    }


def _mixed(curve: MixedCurve) -> dict[str, Any]:
    baseline = None if curve.baseline is None else [_mixed_row(row) for row in curve.baseline]
    return {"rows": [_mixed_row(row) for row in curve.rows], "baseline": baseline, "sentence": curve.sentence}


def _mixed_row(row: MixedRow) -> dict[str, Any]:
    return {"lambda" if name == "lam" else name: value for name, value in plain(row).items()}


def _command(model: str, flags: str, base: str) -> str:
    return " ".join(part for part in ("oodkit diagnose", shlex.quote(model), base, flags) if part)


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
