"""``oodkit compare``: runs side by side."""

from typing import Annotated

import typer

from oodkit.cli.options import CompareFormatOption, JsonOption


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
    form: CompareFormatOption = None,
    json_: JsonOption = False,
) -> None:
    """Put the models of several runs side by side, with tests of what differs from the first one.

    Examples:

    oodkit compare diagnose-001 diagnose-002

    oodkit compare diagnose-003 --published
    """
    from oodkit.cli.command_line import command_line
    from oodkit.cli.formats import chosen, print_result
    from oodkit.cli.runs import find_run, result_of
    from oodkit.errors import UsageError
    from oodkit.report.compare import make_comparison
    from oodkit.report.runs import load_run

    shown = chosen(form, json_)
    places = [find_run(run) for run in runs]
    results = [result_of(place).resolve() for place in places]
    for number, result in enumerate(results):
        if result in results[:number]:
            raise UsageError(f"the run {runs[number]} is given twice; give each once")
    names = [result.parent.name for result in results]
    named = [name if names.count(name) == 1 else text for name, text in zip(names, runs, strict=True)]
    loaded = [(name, load_run(place)) for name, place in zip(named, places, strict=True)]
    document = make_comparison(loaded, command=command_line(), published=published)
    print_result(document, shown)
