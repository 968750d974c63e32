"""``oodkit list``: what there is."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from oodkit.cli.options import JsonOption


class Kind(StrEnum):
    """What ``oodkit list`` lists."""

    models = "models"
    scorers = "scorers"
    recipes = "recipes"
    benchmarks = "benchmarks"


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)],
    pattern: Annotated[str, typer.Argument(help="Only names that match, e.g. 'resnet50*'.")] = "*",
    json_: JsonOption = False,
) -> None:
    """List the models, scorers, training recipes or benchmarks that oodkit knows."""
    from fnmatch import fnmatch

    listed = {Kind.models: _models, Kind.scorers: _scorers, Kind.recipes: _recipes, Kind.benchmarks: _benchmarks}[kind]()
    rows = [row for row in listed if fnmatch(row["name"], pattern)]
    if json_:
        typer.echo(json.dumps(rows, indent=1))
        return
    widths = {column: max(len(row[column]) for row in rows) for column in rows[0]} if rows else {}
    for row in rows:
        typer.echo("  ".join(text.ljust(widths[column]) for column, text in row.items()).rstrip())
    if not rows:
        typer.echo(f"no {kind} match {pattern!r}", err=True)


def _models() -> list[dict[str, str]]:
    from oodkit.classifier import available_models

    return [{"name": name} for name in available_models()]


def _scorers() -> list[dict[str, str]]:
    from oodkit.scorers import SCORERS, one_pass_scorers

    once = one_pass_scorers()
    return [
        {
            "name": name,
            "fits_on": _fits_on(scorer.fits_on),
            "network": _runs(name in once),
            "method": scorer.title,
            "paper": scorer.paper,
        }
        for name, scorer in SCORERS.items()
    ]


def _runs(once: bool) -> str:
    return "one pass" if once else "runs the network again"


def _fits_on(what: str | None) -> str:
    return "nothing" if what is None else f"ID {what}"


def _recipes() -> list[dict[str, str]]:
    from oodkit.training.recipes import RECIPES

    return [
        {
            "name": name,
            "needs": ", ".join(sorted(recipe.needs)) or "nothing",
            "judged_by": ", ".join(recipe.scored_by),
            "method": recipe.title,
            "paper": recipe.paper,
        }
        for name, recipe in RECIPES.items()
    ]


def _benchmarks() -> list[dict[str, str]]:
    from oodkit.benchmarks import BENCHMARKS

    return [
        {"name": name, "classes": str(one.num_classes), "near": ", ".join(one.near), "far": ", ".join(one.far)}
        for name, one in BENCHMARKS.items()
    ]
