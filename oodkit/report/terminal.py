"""The document as tables for a terminal, or for a plain text file."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console

from oodkit.report.ablation_sheets import ablation_sheets
from oodkit.report.ablations import remarks_on as ablation_remarks
from oodkit.report.ablations import title_of
from oodkit.report.compare_sheets import commands, remarks_on, sheets
from oodkit.report.console import print_sheet, say, stdout_console
from oodkit.report.document import Document
from oodkit.report.numerals import interval, number
from oodkit.report.qualities import sentence_of
from oodkit.report.qualities import title_of as quality_title
from oodkit.report.quality_sheets import quality_sheets
from oodkit.report.remarks import in_pairs, set_remarks
from oodkit.report.repair_sheets import repair_sheets
from oodkit.report.repairs import repair_notes, repair_of
from oodkit.report.sheets import comparison_sheet, model_sheets
from oodkit.wording import counted


def print_document(document: Document, console: Console | None = None) -> None:
    """Print models, tables, verdicts and advice, of a repair what it changed; by default to stdout, see ``stdout_console``."""
    console = console or stdout_console()
    _print_sets(console, document["sets"])
    if repair := repair_of(document):
        _print_repair(console, document, repair)
        return
    for model in document["models"]:
        _print_model(console, model)
    if len(document["models"]) > 1:
        console.print()
        print_sheet(console, comparison_sheet(document["models"], intervals=False))


def _print_repair(console: Console, document: Document, repair: Mapping[str, Any]) -> None:
    """The repair alone, and the verdict on what it led to: both models in full stand in the other forms."""
    console.print()
    say(console, repair["sentence"], "bold")
    console.print()
    for sheet in repair_sheets(document, intervals=False):
        print_sheet(console, sheet)
    for line in repair_notes(repair):
        say(console, f"note: {line}", "dim")
    _print_verdict(console, document["models"][1]["verdict"])


def print_comparison(document: Document, console: Console | None = None) -> None:
    """Print the tables of a comparison and the remarks; by default to stdout."""
    console = console or stdout_console()
    models, *others = sheets(document)
    print_sheet(console, replace(models, below=[*map("  ".join, commands(document))]))
    for sheet in others:
        print_sheet(console, sheet)
    for remark in remarks_on(document):
        say(console, remark, "dim")


def print_ablation(document: Document, console: Console | None = None) -> None:
    """Print the tables of an ablation and the remarks; by default to stdout."""
    console = console or stdout_console()
    say(console, title_of(document), "bold")
    console.print()
    for sheet in ablation_sheets(document, intervals=False):
        print_sheet(console, sheet)
    for remark in ablation_remarks(document):
        say(console, f"note: {remark}", "dim")


def print_quality(document: Document, console: Console | None = None) -> None:
    """Print what comes first, the tables of an assessment and the remarks; by default to stdout."""
    console = console or stdout_console()
    say(console, quality_title(document), "bold")
    console.print()
    for sheet in quality_sheets(document):
        print_sheet(console, sheet)
    say(console, sentence_of(document), "bold")
    for remark in document["notes"]:
        say(console, f"note: {remark}", "dim")


def _print_sets(console: Console, sets: Iterable[Mapping[str, Any]]) -> None:
    for one in sets:
        skipped = f", {one['skipped']} unreadable and skipped" if one["skipped"] else ""
        name = "" if one["name"] == one["role"] else f"{one['name']}, "
        say(console, f"{one['role']:>5}  {name}{counted(one['read'], 'image', 'images')} of {one['spec']}{skipped}")
        for line in set_remarks(one):
            say(console, f"         {line}", "yellow")


def _print_model(console: Console, model: Mapping[str, Any]) -> None:
    facts, accuracy = model["facts"], model["accuracy"]
    console.print()
    say(console, model["name"], "bold")
    say(console, f"  {_describe(facts)}")
    say(console, f"  preprocessing: {in_pairs(facts['preprocessing'])}")
    say(console, f"  recipe: {facts['recipe']}")
    say(console, f"  ID accuracy {number(accuracy)} % ({interval(accuracy)} %)")
    console.print()
    for sheet in model_sheets(model, intervals=False):
        print_sheet(console, sheet)
    _print_verdict(console, model["verdict"])


def _print_verdict(console: Console, verdict: Mapping[str, Any]) -> None:
    say(console, f"Verdict  {verdict['sentence']}", "bold")
    for line in verdict["evidence"]:
        say(console, f"  · {line}")
    say(console, "Advice", "bold")
    for place, advice in enumerate(verdict["advice"], 1):
        say(console, f"  {place}. {advice['text']}")
        if advice["command"]:
            say(console, f"     {advice['command']}", "cyan")


def _describe(facts: Mapping[str, Any]) -> str:
    head = ", ".join(facts["head_layers"])
    described = f"{facts['num_classes']} classes, {facts['num_features']} features, head {head}"
    return ", ".join([*(str(facts[name]) for name in ("architecture", "license") if facts.get(name)), described])
