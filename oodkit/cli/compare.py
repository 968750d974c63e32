"""``oodkit compare``: runs side by side."""

import shlex
import sys
from typing import Annotated

import typer

from oodkit.cli.options import CompareFormat, Format, JsonOption


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Runs of oodkit diagnose or augdelete: folders, their result.json, or names in oodkit-runs, such as diagnose-003.",
            show_default=False,
        ),
    ],
    published: Annotated[
        bool, typer.Option("--published", help="Set published figures beside the measured ones, where benchmark and model match.")
    ] = False,
    form: Annotated[
        CompareFormat | None,
        typer.Option(
            "--format",
            help="The form to print in, by default text; --json is short for json.",
            show_default=False,
            rich_help_panel="What it shows",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Put the models of several runs side by side, with tests of what differs from the first one.

    Examples:

    oodkit compare diagnose-001 diagnose-002

    oodkit compare diagnose-003 --published
    """
    from oodkit.cli.formats import chosen, print_result
    from oodkit.cli.runs import find_run
    from oodkit.errors import UsageError
    from oodkit.report.compare import make_comparison
    from oodkit.report.runs import load_run

    shown = chosen(None if form is None else Format(form.value), as_json)
    places = [find_run(run) for run in runs]
    folders = [(place if place.is_dir() else place.parent).resolve() for place in places]
    for number, folder in enumerate(folders):
        if folder in folders[:number]:
            raise UsageError(f"the run {runs[number]} is given twice; give each once")
    names = [folder.name for folder in folders]
    named = [name if names.count(name) == 1 else text for name, text in zip(names, runs, strict=True)]
    loaded = [(name, load_run(place)) for name, place in zip(named, places, strict=True)]
    document = make_comparison(loaded, command=shlex.join(["oodkit", *sys.argv[1:]]), published=published)
    print_result(document, shown)
