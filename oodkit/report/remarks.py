"""What the terminal and the HTML report both read from a document, so that neither leaves out what the other tells."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from oodkit.evaluation import MEANS
from oodkit.rivals import APART
from oodkit.scorers.knn import doubt_in
from oodkit.specs import spec_of
from oodkit.wording import p_told

FILES_SHOWN = 10
FEW_IMAGES = 100  # an AUROC of 100 images against as many has a 95 % interval some 10 points wide


def summary_result(model: Mapping[str, Any], scorer: str | None) -> Mapping[str, Any] | None:
    """One scorer's row for the mean that the models are compared by."""
    rows = (row for row in model["results"] if (row["scorer"], row["ood_set"]) == (scorer, model["summary"]))
    return next(rows, None)


def scorers_best_first(model: Mapping[str, Any]) -> list[str]:
    """The scorers by their AUROC in the mean that the models are compared by; then those in doubt, then those not scored."""
    found = {scorer: summary_result(model, scorer) for scorer in dict.fromkeys(row["scorer"] for row in model["results"])}

    def place(scorer: str) -> tuple[bool, bool, float]:
        row = found[scorer]
        if row is None or not row["auroc"]:
            return True, False, 0.0
        return False, doubt_of(row) is not None, -row["auroc"]["value"]

    return sorted(found, key=place)


def doubt_of(row: Mapping[str, Any]) -> str | None:
    """Why a result's figures say nothing of its scorer, which is then never the best; None where they do."""
    return doubt_in(row["notes"])


def doubted_scorers(model: Mapping[str, Any]) -> list[str]:
    """Those with figures in doubt."""
    return list(dict.fromkeys(row["scorer"] for row in model["results"] if row["reason"] is None and doubt_of(row)))


def useful_means(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """The means worth a column: those over more than one set."""
    groups = {row["ood_set"]: row["group"] for row in results}
    sizes = {f"{group} mean": list(groups.values()).count(group) for group in groups.values()}
    return [name for name in MEANS if name in groups and (name == "mean" or sizes[name] > 1)]


def remarks(model: Mapping[str, Any], shown: Collection[str] | None = None) -> list[str]:
    """Below the table of scorers: which are as good as the best, why some were not scored, what the figures of others rest on.

    shown: the scorers that the table has, where it has not all. What a search found is left to its own table.
    """
    rows = [row for row in model["results"] if shown is None or row["scorer"] in shown]
    reasons = _scorers_by_text((row["scorer"], row["reason"]) for row in rows if row["reason"])
    notes = _scorers_by_text((row["scorer"], note) for row in rows for note in row["notes"])
    lines = [*_rivals_line(model), *(f"{', '.join(scorers)}: not scored, {reason}" for reason, scorers in reasons.items())]
    said: dict[str, list[str]] = {}
    for note, scorers in notes.items():
        said.setdefault(", ".join(scorers), []).append(note)
    return [*lines, *(f"{scorers}: {'; '.join(parts)}" for scorers, parts in said.items()), *model["facts"]["notes"]]


def _rivals_line(model: Mapping[str, Any]) -> list[str]:
    """Whether or not the form shows them all; those in doubt are no rivals. A result of an earlier version has none."""
    doubted = doubted_scorers(model)
    if not (rivals := [one for one in model.get("rivals", ()) if one["scorer"] not in doubted]):
        return []
    test = "by the paired DeLong test"
    if equal := [one["scorer"] for one in rivals if one["p_value"] > APART]:
        return [f"not told from {model['best']} {test} (p > {APART:g}): {', '.join(equal)}"]
    largest = p_told(max(one["p_value"] for one in rivals), "≤")
    others = "every other not in doubt" if doubted else "every other"
    return [f"{model['best']} is ahead of {others} {test} ({largest})"]


def _scorers_by_text(said: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """What is said of several scorers alike is said once."""
    found: dict[str, list[str]] = {}
    for scorer, text in dict.fromkeys(said):
        found.setdefault(text.removeprefix(f"{scorer} "), []).append(scorer)
    return found


def set_remarks(images: Mapping[str, Any]) -> list[str]:
    """Below an image set: the first of the files that could not be read, and the set's notes."""
    files = images["skipped_files"]
    lines = [f"skipped {file['name']}: {file['reason']}" for file in files[:FILES_SHOWN]]
    lines += [f"skipped {len(files) - FILES_SHOWN} more; the JSON names them"] if len(files) > FILES_SHOWN else []
    return [*lines, *(f"note: {note}" for note in images["notes"])]


def tuning_title(model: Mapping[str, Any]) -> str:
    """Above the table of searches: what was chosen on which images, and on how many."""
    first = model["tuning"][0]
    return f"Settings chosen on {', '.join(first['sets'])}: {first['n_id']} ID and {first['n_ood']} OOD images"


def tuning_remarks(model: Mapping[str, Any]) -> list[str]:
    """Below it: a caution where the images are few, and what the searches rest on."""
    first = model["tuning"][0]
    few = f"caution: fewer than {FEW_IMAGES} ID or OOD images are so few that the choice is mostly chance"
    return [*([few] if min(first["n_id"], first["n_ood"]) < FEW_IMAGES else []), *([first["note"]] if first["note"] else [])]


def tuning_rows(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a search: the scorer as asked for, how many combinations were tried, the chosen one in words, and both AUROCs."""
    return [
        {
            "scorer": one["asked"],
            "tried": len(one["tried"]),
            "chosen": settings_in_words(one["chosen"]["settings"]) if one["chosen"] else "none applies",
            "before": one["before"]["auroc"],
            "after": one["chosen"]["auroc"] if one["chosen"] else None,
        }
        for one in model["tuning"]
    ]


def in_pairs(facts: Mapping[str, Any]) -> str:
    """``seed 0, device cpu``; what is null is left out."""
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)


def versions_and_date(document: Mapping[str, Any]) -> str:
    """With what, and when, a result was made."""
    return in_pairs({"oodkit": document["oodkit"], **document["versions"], "made": document["created"]})


def settings_in_words(settings: Mapping[str, Any]) -> str:
    """Settings as a spec has them: ``gamma=0.1,m=100``."""
    return spec_of("", settings).removeprefix(":")


def mixed_table(mixed: Mapping[str, Any]) -> dict[str, Any]:
    """The table of mixed images: its ``columns`` and, by λ, the figures of each column with the baseline's or None."""
    shown = useful_means(mixed["rows"][0]["auroc_ood"])
    before = {row["lambda"]: _mixed_figures(row) for row in mixed["baseline"] or []}
    figures = {row["lambda"]: _mixed_figures(row) for row in mixed["rows"]}
    columns = [name for name in figures[0] if name not in MEANS or name in shown]
    lines = {lam: {name: (own[name], before.get(lam, {}).get(name)) for name in columns} for lam, own in figures.items()}
    return {"columns": columns, "lines": lines}


def _mixed_figures(row: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    return {"ID": row["auroc_id"], **{one["ood_set"]: one["auroc"] for one in row["auroc_ood"]}}
