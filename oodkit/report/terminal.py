"""The document as tables for a terminal, or for a plain text file."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from oodkit.evaluation import MEANS
from oodkit.report.console import add_row, new_table, print_table, say, stdout_console
from oodkit.report.document import Document
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
from oodkit.wording import decimal, percent, signed

INTERVAL = "95 % interval"


def print_document(document: Document) -> None:
    """Print models, tables, verdicts and advice to stdout; see ``stdout_console``."""
    console = stdout_console()
    _print_sets(console, document["sets"])
    for model in document["models"]:
        _print_model(console, model)
    if len(document["models"]) > 1:
        print_table(console, _comparison(document["models"]))


def _print_sets(console: Console, sets: Iterable[Mapping[str, Any]]) -> None:
    for one in sets:
        skipped = f", {one['skipped']} unreadable and skipped" if one["skipped"] else ""
        name = "" if one["name"] == one["role"] else f"{one['name']}, "
        say(console, f"{one['role']:>5}  {name}{one['read']} images of {one['spec']}{skipped}")
        for line in set_remarks(one):
            say(console, f"         {line}", "yellow")


def _print_model(console: Console, model: Mapping[str, Any]) -> None:
    facts, accuracy = model["facts"], model["accuracy"]
    console.print()
    say(console, model["name"], "bold")
    say(console, f"  {_describe(facts)}")
    say(console, f"  preprocessing: {_preprocessing(facts['preprocessing'])}")
    say(console, f"  recipe: {facts.get('recipe', 'unknown')}")
    interval = f"95 % interval {decimal(100 * accuracy['low'], 2)} to {percent(accuracy['high'], 2)}"
    say(console, f"  ID accuracy {percent(accuracy['value'], 2)} ({interval})")
    console.print()
    print_table(console, _max_logit_table(model))
    if model["shifts"]:
        print_table(console, _shift_table(model))
    if model["mixed"]:
        print_table(console, _mixed_table(model["mixed"]))
        say(console, model["mixed"]["sentence"], "dim")
    print_table(console, _scorer_table(model))
    marked = [f"* highest {model['summary']} AUROC; the intervals are of that mean"] if model["best"] else []
    for line in marked + remarks(model):
        say(console, line, "dim")
    if model["tuning"]:
        print_table(console, _tuning_table(model))
        say(console, "AUROC in percent, of ID validation images against the sets chosen on; the JSON has every combination", "dim")
        for line in tuning_remarks(model):
            say(console, line, "dim")
    _print_verdict(console, model["verdict"])


def _print_verdict(console: Console, verdict: Mapping[str, Any]) -> None:
    console.print()
    say(console, f"Verdict  {verdict['sentence']}", "bold")
    for line in verdict["evidence"]:
        say(console, f"  · {line}")
    say(console, "Advice", "bold")
    for number, advice in enumerate(verdict["advice"], 1):
        say(console, f"  {number}. {advice['text']}")
        if advice["command"]:
            say(console, f"     {advice['command']}", "cyan")


def _max_logit_table(model: Mapping[str, Any]) -> Table:
    table = new_table("Maximal logit", "set", "group", "images", "mean", "std", "gap to ID")
    for row in model["max_logits"]:
        group = "" if row["group"] == "id" else row["group"]
        numbers = [str(row["n"]), decimal(row["mean"]["value"], 3), f"{row['std']:.3f}", _number(row["gap"], 2)]
        add_row(table, row["image_set"], group, *numbers)
    return table


def _shift_table(model: Mapping[str, Any]) -> Table:
    title = f"Maximal-logit shift against {model['baseline']}"
    table = new_table(title, "set", "r_id", "r_ood", "(r_id−r_ood)/(1−r_ood)", "P baseline", "P model", "δP")
    for row in model["shifts"]:
        numbers = [_number(row[name], 3) for name in ("r_id", "r_ood", "ratio")]
        numbers += [f"{row['p_baseline']['value']:.3f}", f"{row['p_model']['value']:.3f}", _number(row["delta_p"], 3)]
        add_row(table, row["ood_set"], *numbers)
    return table


def _mixed_table(mixed: Mapping[str, Any]) -> Table:
    found = mixed_table(mixed)
    beside = " / the baseline's" if mixed["baseline"] else ""
    title = f"Mixed images, AUROC of the maximal logit in percent{beside}"
    columns = ["ID over mixed" if name == "ID" else f"mixed over {name}" for name in found["columns"]]
    table = new_table(title, "λ", "images", "mean logit", *columns)
    for row in mixed["rows"]:
        pairs = found["lines"][row["lambda"]].values()
        cells = [_estimate(own) + (f" / {_estimate(before)}" if beside else "") for own, before in pairs]
        add_row(table, f"{row['lambda']:g}", str(row["n"]), decimal(row["mean"]["value"], 3), *cells)
    return table


def _scorer_table(model: Mapping[str, Any]) -> Table:
    results = model["results"]
    sets = list(dict.fromkeys(row["ood_set"] for row in results if row["ood_set"] not in MEANS))
    columns = sets + useful_means(results)  # the last is the one that scorers are compared by
    table = new_table("AUROC / FPR@95 in percent (OOD is the positive class)", "scorer", *columns, INTERVAL)
    for scorer in scorers_best_first(model):
        cells = {row["ood_set"]: _cell(row) for row in results if row["scorer"] == scorer}
        marked = scorer == model["best"]
        label = f"{scorer} *" if marked else scorer
        interval = _interval(summary_result(model, scorer), "auroc")
        add_row(table, label, *(cells.get(column, "–") for column in columns), interval, style="bold green" if marked else None)
    return table


def _tuning_table(model: Mapping[str, Any]) -> Table:
    table = new_table(tuning_title(model), "scorer", "tried", "chosen", "as asked", "as chosen")
    for row in tuning_rows(model):
        figures = ["–" if row[which] is None else f"{100 * row[which]:.2f}" for which in ("before", "after")]
        add_row(table, row["scorer"], str(row["tried"]), row["chosen"], *figures)
    return table


def _comparison(models: Iterable[Mapping[str, Any]]) -> Table:
    table = new_table(
        "Models compared (mean AUROC, percent)",
        "model",
        "ID accuracy",
        "maximal logit",
        INTERVAL,
        "best scorer",
        "AUROC",
        INTERVAL,
        "FPR@95",
        "verdict",
    )
    for model in models:
        mls, best = summary_result(model, "mls"), summary_result(model, model["best"])
        add_row(
            table,
            model["name"],
            percent(model["accuracy"]["value"], 2),
            _estimate(mls["auroc"] if mls else None),
            _interval(mls, "auroc"),
            best["scorer"] if best else "–",
            _estimate(best["auroc"] if best else None),
            _interval(best, "auroc"),
            _estimate(best["fpr95_ood"] if best else None),
            model["verdict"]["code"],
        )
    return table


def _cell(row: Mapping[str, Any]) -> str:
    return "–" if row["reason"] else f"{_estimate(row['auroc'])} / {_estimate(row['fpr95_ood'])}"


def _estimate(estimate: Mapping[str, float] | None) -> str:
    return "–" if estimate is None else f"{100 * estimate['value']:.2f}"


def _interval(row: Mapping[str, Any] | None, figure: str) -> str:
    estimate = row[figure] if row else None
    return "–" if estimate is None else f"{100 * estimate['low']:.1f}–{100 * estimate['high']:.1f}"


def _number(estimate: Mapping[str, float] | None, digits: int) -> str:
    return "–" if estimate is None else signed(estimate["value"], digits)


def _describe(facts: Mapping[str, Any]) -> str:
    head = ", ".join(facts["head_layers"])
    described = f"{facts['num_classes']} classes, {facts['num_features']} features, head {head}"
    return ", ".join([*(str(facts[name]) for name in ("architecture", "license") if facts.get(name)), described])


def _preprocessing(preprocessing: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in preprocessing.items())
