"""The document as Markdown, to be pasted into a pull request on GitHub.

No paragraph is broken into lines: in comments GitHub shows the breaks.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oodkit.evaluation import MEANS
from oodkit.report.document import Document
from oodkit.report.gfm import escape, fenced, number_with_interval, percent, percent_with_interval, table
from oodkit.report.remarks import (
    mixed_table,
    remarks,
    scorers_best_first,
    set_remarks,
    summary_result,
    tuning_remarks,
    tuning_rows,
    tuning_title,
    useful_means,
)
from oodkit.wording import decimal

Model = Mapping[str, Any]


def render_markdown(document: Document) -> str:
    """The report's text, with a line break at its end. Whatever comes from the user's files is text in it, and nothing else."""
    models = document["models"]
    blocks = comparison(models) if len(models) > 1 else []
    for model in models:
        blocks += _model(model)
    return "\n\n".join([*blocks, *made(document)]) + "\n"


def comparison(models: Sequence[Model]) -> list[str]:
    """The models side by side."""
    head = ("model", "verdict", "best scorer", "ID accuracy", "maximal logit, AUROC", "best scorer, AUROC", "FPR@95")
    rows = []
    for model in models:
        mls, best = summary_result(model, "mls") or {}, summary_result(model, model["best"]) or {}
        figures = [model["accuracy"], mls.get("auroc"), best.get("auroc"), best.get("fpr95_ood")]
        rows.append([model["name"], model["verdict"]["code"], model["best"] or "–", *map(percent_with_interval, figures)])
    return [f"## {len(models)} models compared", "Means over the OOD sets, with 95 % intervals.", table(head, rows, words=3)]


def figures(model: Model) -> str:
    """The four that matter, with their 95 % intervals."""
    best = summary_result(model, model["best"])
    lines = [("ID accuracy", percent_with_interval(model["accuracy"]))]
    if best:
        lines.append((f"{model['summary']} AUROC of {model['best']}, the best scorer", percent_with_interval(best["auroc"])))
        lines.append((f"its {model['summary']} FPR@95", percent_with_interval(best["fpr95_ood"])))
    gaps = [(row["image_set"], row["gap"]) for row in model["max_logits"] if row["gap"] is not None]
    lines += [(f"maximal-logit gap to {name}", number_with_interval(gap, "+.2f")) for name, gap in gaps]
    return table(("figure", "value (95 % interval)"), lines)


def _model(model: Model) -> list[str]:
    verdict, facts = model["verdict"], model["facts"]
    described = f"{facts['num_classes']} classes; recipe: {facts.get('recipe', 'unknown')}"
    return [
        f"## {escape(model['name'])}: out-of-distribution diagnosis",
        escape(", ".join([*([facts["architecture"]] if facts.get("architecture") else []), described])),
        f"**{escape(verdict['sentence'])}**",
        _list(verdict["evidence"]),
        figures(model),
        *_advice(verdict["advice"]),
        *_scorers(model),
        *_max_logits(model),
        *_shifts(model),
        *_mixed(model["mixed"]),
        *_tuning(model),
    ]


def _advice(advice: Iterable[Mapping[str, Any]]) -> list[str]:
    blocks = ["### What to do"]
    for number, one in enumerate(advice, 1):
        blocks.append(f"{number}. {escape(one['text'])}")
        if one["command"]:
            blocks.append(_indented(fenced(one["command"]), f"{number}. "))
    return blocks


def _scorers(model: Model) -> list[str]:
    results = model["results"]
    groups = {row["ood_set"]: row["group"] for row in results}
    columns = [name for name in groups if name not in MEANS] + useful_means(results)
    head = [name if name in MEANS else f"{name} ({groups[name]})" for name in columns]
    rows = []
    for scorer in scorers_best_first(model):
        cells = {row["ood_set"]: row for row in results if row["scorer"] == scorer}
        summary = summary_result(model, scorer)
        interval = _interval(summary["auroc"] if summary else None)
        label = f"{scorer} (best)" if scorer == model["best"] else scorer
        rows.append([label, *(_cell(cells.get(name)) for name in columns), interval])
    head = ["scorer", *head, f"{model['summary']} AUROC, 95 % interval"]
    caption = "AUROC / FPR@95 in percent; OOD is the positive class."
    notes = remarks(model)
    return ["### Scorers", caption, table(head, rows), *([_list(notes)] if notes else [])]


def _cell(row: Mapping[str, Any] | None) -> str:
    return "–" if row is None or row["reason"] else f"{percent(row['auroc'])} / {percent(row['fpr95_ood'])}"


def _interval(estimate: Mapping[str, float] | None) -> str:
    return "–" if estimate is None else f"{percent(estimate['low'])} to {percent(estimate['high'])}"


def _max_logits(model: Model) -> list[str]:
    if not model["max_logits"]:
        return []
    rows = [
        [
            row["image_set"],
            "" if row["group"] == "id" else row["group"],
            str(row["n"]),
            number_with_interval(row["mean"], ".3f"),
            f"{row['std']:.3f}",
            number_with_interval(row["gap"], "+.2f"),
        ]
        for row in model["max_logits"]
    ]
    head = ("set", "group", "images", "mean (95 % interval)", "std", "gap to ID (95 % interval)")
    return ["### Maximal logit", table(head, rows, words=2)]


def _shifts(model: Model) -> list[str]:
    if not model["shifts"]:
        return []
    rows = [
        [
            row["ood_set"],
            row["group"],
            *(number_with_interval(row[name], "+.3f") for name in ("r_id", "r_ood", "ratio")),
            *(number_with_interval(row[name], ".3f") for name in ("p_baseline", "p_model")),
            number_with_interval(row["delta_p"], "+.3f"),
        ]
        for row in model["shifts"]
    ]
    head = ("set", "group", "r_id", "r_ood", "(r_id − r_ood)/(1 − r_ood)", "P baseline", "P model", "δP")
    return [f"### Maximal-logit shift against {escape(model['baseline'])}", table(head, rows, words=2)]


def _mixed(mixed: Mapping[str, Any] | None) -> list[str]:
    if mixed is None:
        return []
    found = mixed_table(mixed)
    head = ["λ", "images", "mean logit", *("ID over mixed" if name == "ID" else f"mixed over {name}" for name in found["columns"])]
    rows = []
    for row in mixed["rows"]:
        pairs = found["lines"][row["lambda"]].values()
        cells = [percent(own) + (f" / {percent(before)}" if before else "") for own, before in pairs]
        rows.append([f"{row['lambda']:g}", str(row["n"]), decimal(row["mean"]["value"], 3), *cells])
    beside = ", the model's / the baseline's" if mixed["baseline"] else ""
    return [
        "### Mixed images",
        escape(mixed["sentence"]),
        f"AUROC of the maximal logit in percent{beside}.",
        table(head, rows, words=0),
    ]


def _tuning(model: Model) -> list[str]:
    if not model["tuning"]:
        return []
    rows = [
        [row["scorer"], row["chosen"], str(row["tried"]), percent(row["before"]), percent(row["after"])]
        for row in tuning_rows(model)
    ]
    head = ("scorer", "chosen", "tried", "AUROC as asked", "AUROC as chosen")
    notes = ["AUROC in percent, of ID validation images against the sets chosen on", *tuning_remarks(model)]
    return [f"### {escape(tuning_title(model))}", table(head, rows, words=2), _list(notes)]


def made(document: Document) -> list[str]:
    """How it was made, folded: command, image sets with the files that were skipped, preprocessing, settings, versions."""
    rows = [(one["name"], one["role"], one["spec"], str(one["read"]), str(one["skipped"])) for one in document["sets"]]
    notes = [f"{one['name']}: {line}" for one in document["sets"] for line in set_remarks(one)]
    facts = [(f"preprocessing of {one['name']}", _pairs(one["facts"]["preprocessing"])) for one in document["models"]]
    facts += [("settings", _pairs(document["settings"]))]
    facts += [("versions", _pairs({"oodkit": document["oodkit"], **document["versions"]})), ("made", document["created"])]
    return [
        "<details>\n<summary>How this was made</summary>",
        fenced(document["command"]),
        table(("set", "role", "source", "images read", "skipped"), rows, words=3),
        _list([*notes, *(f"{name}: {value}" for name, value in facts)]),
        "</details>",
    ]


def _pairs(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def _indented(block: str, under: str) -> str:
    """The block as part of the list item that begins with ``under``."""
    return "\n".join(" " * len(under) + line for line in block.splitlines())
