"""The report's terms, each defined once: ``glossary.toml``, and which of them a run needs."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from typing import Any

from oodkit.evaluation import MEANS
from oodkit.report.repairs import has_curve, repair_of

Term = Mapping[str, Any]


def terms_of(document: Mapping[str, Any]) -> list[Term]:
    """The terms that the report of this run uses, in the order of the page: ``key``, ``name``, ``text``."""
    facts = {fact for model in document["models"] for fact in _facts(model)} | _facts_of_repair(repair_of(document))
    return [term for term in _terms() if not term.get("when") or facts & set(term["when"])]


def terms_named(keys: Collection[str]) -> list[Term]:
    """The terms of these keys, in the order of the page."""
    return [term for term in _terms() if term["key"] in keys]


def every_key() -> set[str]:
    """The keys of all terms, whatever a run needs."""
    return {term["key"] for term in _terms()}


def _terms() -> Sequence[Term]:
    found: Sequence[Term] = tomllib.loads((files("oodkit.report") / "glossary.toml").read_text("utf-8"))["term"]
    return found


def _facts_of_repair(repair: Mapping[str, Any] | None) -> set[str]:
    if repair is None:
        return set()
    return {"repair", repair["outcome"], *(["shares"] if has_curve(repair) else [])}


def _facts(model: Mapping[str, Any]) -> set[str]:
    held = {key for key in ("densities", "shifts", "baseline", "roc", "extremes", "best", "mixed", "tuning") if model[key]}
    knn = {"knn" for row in model["results"] if row["scorer"].partition(":")[0] == "knn"}
    means = {"means" for row in model["results"] if row["ood_set"] in MEANS}
    return held | knn | means | {model["verdict"]["code"]}
