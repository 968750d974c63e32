"""The diagnosis as sheets of text: what its tables say, once for the terminal, Markdown and a comparison."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from oodkit.evaluation import MEANS
from oodkit.report.numerals import limits, number, with_interval
from oodkit.report.remarks import (
    mixed_table,
    remarks,
    scorers_best_first,
    summary_result,
    tuning_remarks,
    tuning_rows,
    tuning_title,
    useful_means,
)
from oodkit.wording import DASH

Model = Mapping[str, Any]


@dataclass(frozen=True)
class Sheet:
    """A table. caption: what its figures are. words: how many columns from the left are text.

    bold: cells to set off, by row and column. below: lines to add.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    words: int = 1
    bold: Collection[tuple[int, int]] = ()
    below: Sequence[str] = ()


def model_sheets(model: Model, *, intervals: bool) -> list[Sheet]:
    """The tables of one model of a diagnosis, those left out that would be empty.

    intervals: whether every figure has its own beside it, for which a terminal has no room.
    """
    made = (
        _max_logits(model, intervals=intervals),
        _shifts(model, intervals=intervals),
        _mixed(model["mixed"]),
        _scorers(model),
        _tuning(model),
    )
    return [sheet for sheet in made if sheet is not None]


def comparison_sheet(models: Sequence[Model], *, intervals: bool) -> Sheet:
    """The models of a diagnosis side by side. The AUROCs, which they are compared by, have their intervals in any case."""
    head = ["model", "verdict", "best scorer", "ID accuracy", "maximal logit, AUROC", "best scorer, AUROC", "FPR@95"]
    show = _shown(intervals)
    rows = []
    for model in models:
        mls, best = summary_result(model, "mls") or {}, summary_result(model, model["best"]) or {}
        words = [model["name"], model["verdict"]["code"], model["best"] or DASH]
        aurocs = [with_interval(one.get("auroc")) for one in (mls, best)]
        rows.append([*words, show(model["accuracy"]), *aurocs, show(best.get("fpr95_ood"))])
    which = "with" if intervals else "AUROCs with"
    caption = f"in percent, {which} 95 % intervals; AUROC and FPR@95 are those of the {models[0]['summary']}"
    return Sheet(f"{len(models)} models compared", head, rows, caption, words=3)


def auroc_and_fpr(row: Mapping[str, Any] | None) -> str:
    """``98.19 / 7.85``, in percent; a dash for a row without figures, and for none."""
    return f"{number(row['auroc'])} / {number(row['fpr95_ood'])}" if row and row["auroc"] else DASH


def _shown(intervals: bool) -> Callable[..., str]:
    return with_interval if intervals else number


def _max_logits(model: Model, *, intervals: bool) -> Sheet | None:
    show = partial(_shown(intervals), scale=1)
    rows = [
        [
            row["image_set"],
            "" if row["group"] == "id" else row["group"],
            str(row["n"]),
            show(row["mean"], 3),
            number(row["std"], 3, 1),
            show(row["gap"], 2, sign=True),
        ]
        for row in model["max_logits"]
    ]
    head = ["set", "group", "images", "mean", "std", "gap to ID"]
    caption = "with 95 % intervals" if intervals else ""
    return Sheet("Maximal logit", head, rows, caption, words=2) if rows else None


def _shifts(model: Model, *, intervals: bool) -> Sheet | None:
    show = partial(_shown(intervals), digits=3, scale=1)
    rows = [
        [
            row["ood_set"],
            row["group"],
            *(show(row[name], sign=True) for name in ("r_id", "r_ood", "ratio")),
            *(show(row[name]) for name in ("p_baseline", "p_model")),
            show(row["delta_p"], sign=True),
        ]
        for row in model["shifts"]
    ]
    head = ["set", "group", "r_id", "r_ood", "(r_id − r_ood)/(1 − r_ood)", "P baseline", "P model", "δP"]
    caption = "with 95 % intervals" if intervals else ""
    return Sheet(f"Maximal-logit shift against {model['baseline']}", head, rows, caption, words=2) if rows else None


def _mixed(mixed: Mapping[str, Any] | None) -> Sheet | None:
    if mixed is None:
        return None
    found = mixed_table(mixed)
    head = ["λ", "images", "mean logit", *("ID over mixed" if name == "ID" else f"mixed over {name}" for name in found["columns"])]
    rows = []
    for row in mixed["rows"]:
        pairs = found["lines"][row["lambda"]].values()
        cells = [number(own) + (f" / {number(before)}" if mixed["baseline"] else "") for own, before in pairs]
        rows.append([f"{row['lambda']:g}", str(row["n"]), number(row["mean"], 3, 1), *cells])
    beside = ", the model's / the baseline's" if mixed["baseline"] else ""
    caption = f"AUROC of the maximal logit in percent{beside}"
    return Sheet("Mixed images", head, rows, caption, words=0, below=[mixed["sentence"]])


def _scorers(model: Model) -> Sheet:
    results = model["results"]
    groups = {row["ood_set"]: row["group"] for row in results}
    columns = [name for name in groups if name not in MEANS] + useful_means(results)  # the last is what scorers are compared by
    head = [name if name in MEANS else f"{name} ({groups[name]})" for name in columns]
    head = ["scorer", *head, f"{model['summary']} AUROC, 95 % interval"]
    rows: list[list[str]] = []
    bold: list[tuple[int, int]] = []
    for scorer in scorers_best_first(model):
        label = scorer
        if scorer == model["best"]:
            label, bold = f"{scorer} (best)", [(len(rows), column) for column in range(len(head))]
        cells = {row["ood_set"]: row for row in results if row["scorer"] == scorer}
        summary = summary_result(model, scorer) or {}
        rows.append([label, *(auroc_and_fpr(cells.get(name)) for name in columns), limits(summary.get("auroc"))])
    caption = "AUROC / FPR@95 in percent; OOD is the positive class"
    return Sheet("Scorers", head, rows, caption, bold=bold, below=remarks(model))


def _tuning(model: Model) -> Sheet | None:
    if not model["tuning"]:
        return None
    rows = [
        [row["scorer"], row["chosen"], str(row["tried"]), number(row["before"]), number(row["after"])] for row in tuning_rows(model)
    ]
    head = ["scorer", "chosen", "tried", "AUROC as asked", "AUROC as chosen"]
    below = [
        "AUROC in percent, of ID validation images against the sets chosen on; the JSON has every combination",
        *tuning_remarks(model),
    ]
    return Sheet(tuning_title(model), head, rows, words=2, below=below)
