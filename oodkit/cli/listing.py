"""``oodkit list``: what there is."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from oodkit.cli.options import JsonOption

Row = dict[str, Any]  # by column a text, a number, or a list of texts


class Kind(StrEnum):
    """What ``oodkit list`` lists."""

    models = "models"
    scorers = "scorers"
    recipes = "recipes"
    generators = "generators"
    benchmarks = "benchmarks"


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)],
    pattern: Annotated[str, typer.Argument(help="Only names that match, e.g. 'resnet50*'.")] = "*",
    json_: JsonOption = False,
) -> None:
    """List the models, scorers, training recipes, generators or benchmarks that oodkit knows."""
    from fnmatch import fnmatch

    rows = [row for row in ROWS[kind]() if fnmatch(row["name"], pattern)]
    if json_:
        typer.echo(json.dumps(rows, indent=1))
        return
    if not rows:
        typer.echo(f"no {kind} match {pattern!r}", err=True)
        return
    cells = [[_cell(value) for value in row.values()] for row in rows]
    head = [[column.replace("_", " ") for column in rows[0]]] if len(rows[0]) > 1 else []
    widths = [max(map(len, column)) for column in zip(*head, *cells, strict=True)]
    for line in (*head, *cells):
        typer.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: str | int | list[str]) -> str:
    return (", ".join(value) or "nothing") if isinstance(value, list) else str(value)


def _models() -> list[Row]:
    from oodkit.classifier import available_models

    return [{"name": name} for name in available_models()]


def _scorers() -> list[Row]:
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


def _recipes() -> list[Row]:
    from oodkit.training.recipes import RECIPES

    return [
        {
            "name": name,
            "needs": sorted(recipe.needs),
            "judged_by": list(recipe.scored_by),
            "method": recipe.title,
            "paper": recipe.paper,
        }
        for name, recipe in RECIPES.items()
    ]


def _generators() -> list[Row]:
    from oodkit.synth import all_generators

    return [
        {"name": one.form, "makes": one.images, "method": one.title, "licence": one.licence, "needs": one.needs or "nothing"}
        for one in all_generators()
    ]


def _benchmarks() -> list[Row]:
    from oodkit.benchmarks import BENCHMARKS

    return [
        {"name": name, "classes": one.num_classes, "near": list(one.near), "far": list(one.far)} for name, one in BENCHMARKS.items()
    ]


ROWS = {
    Kind.models: _models,
    Kind.scorers: _scorers,
    Kind.recipes: _recipes,
    Kind.generators: _generators,
    Kind.benchmarks: _benchmarks,
}
