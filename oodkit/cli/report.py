"""``oodkit report``: a finished run told again, in another form."""

from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import Format, ReportFormat


def report(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="A run's folder, its result.json, or its name in oodkit-runs, such as diagnose-003; by default the last one made.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="The form to tell the run in.")] = ReportFormat.html,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write; by default html goes to report.html in the run's folder, everything else to stdout.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Tell a finished run again in another form. Nothing is computed: neither model nor images nor cache need be there.

    Examples:

    oodkit report

    oodkit report diagnose-003 --format markdown -o results.md
    """
    from oodkit.atomic import write_atomically
    from oodkit.cli.formats import print_result, rendered
    from oodkit.cli.runs import find_run, require_page, require_writable_file, result_of
    from oodkit.errors import UsageError
    from oodkit.report.html import write_html
    from oodkit.report.loading import EVERY_KIND
    from oodkit.report.runs import PAGE, load_run

    if output is not None:
        (require_page if form == ReportFormat.html else require_writable_file)(output, "--output")
    result = result_of(find_run(run, EVERY_KIND))
    if form == ReportFormat.html and output is None:
        output = result.parent / PAGE
        require_writable_file(output, "--output")
    if output is not None and output.is_file() and output.samefile(result):
        raise UsageError(f"--output {output} would take the place of the run's result; give the name of another file")
    found = load_run(result, EVERY_KIND)
    if output is None:
        print_result(found.document, Format(form.value))
        return
    if form == ReportFormat.html:
        write_html(found, output)
    else:
        text = rendered(found.document, Format(form.value))
        write_atomically(output, lambda temporary: temporary.write_bytes(text.encode("utf-8", "backslashreplace")))
    typer.echo(output)
