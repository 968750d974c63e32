"""The forms that a result is printed in, each made of its document and of nothing else."""

from collections.abc import Callable
from io import StringIO
from typing import Any, TextIO

import typer

from oodkit.cli.options import CompareFormat, Format
from oodkit.errors import UsageError

Document = dict[str, Any]


def chosen(form: Format | CompareFormat | None, as_json: bool) -> Format:
    """What ``--format`` and ``--json`` come to. Raises UsageError where they contradict each other."""
    if as_json and form not in {None, Format.json}:
        raise UsageError(f"--json and --format {form} contradict each other; give one of them")
    return Format.json if as_json else Format(form or Format.text)


def print_result(document: Document, form: Format) -> None:
    """Print the document to stdout; as text in colours, where that is a terminal."""
    if form == Format.text:
        _print_text(document)
    else:
        typer.echo(rendered(document, form), nl=False)


def rendered(document: Document, form: Format) -> str:
    """The document in one of the forms, as a file has it: with a line break at its end, and without colours."""
    forms = RENDERERS[document["kind"]]
    if form not in forms:
        raise UsageError(f"--format {form} is not for a result of the kind '{document['kind']}'; give {', '.join(forms)}")
    return forms[form](document)


def _print_text(document: Document, file: TextIO | None = None) -> None:
    """To stdout or, without colours, to a file."""
    from oodkit.report.console import file_console, stdout_console
    from oodkit.report.terminal import print_ablation, print_comparison, print_document, print_quality

    own = {"compare": print_comparison, "ablate": print_ablation, "quality": print_quality}
    print_it = own.get(document["kind"], print_document)
    print_it(document, stdout_console() if file is None else file_console(file))


def _text(document: Document) -> str:
    file = StringIO()
    _print_text(document, file)
    return file.getvalue()


def _json(document: Document) -> str:
    from oodkit.report.runs import as_json

    return f"{as_json(document)}\n"


def _markdown(document: Document) -> str:
    from oodkit.report.markdown import render_markdown

    return render_markdown(document)


def _csv(document: Document) -> str:
    from oodkit.report.rows_csv import render_csv

    return render_csv(document)


def _model_card(document: Document) -> str:
    from oodkit.report.model_card import render_model_card

    return render_model_card(document)


def _comparison_markdown(document: Document) -> str:
    from oodkit.report.compare_forms import comparison_markdown

    return comparison_markdown(document)


def _comparison_csv(document: Document) -> str:
    from oodkit.report.compare_forms import comparison_csv

    return comparison_csv(document)


def _ablation_markdown(document: Document) -> str:
    from oodkit.report.ablation_forms import ablation_markdown

    return ablation_markdown(document)


def _ablation_csv(document: Document) -> str:
    from oodkit.report.ablation_forms import ablation_csv

    return ablation_csv(document)


def _quality_markdown(document: Document) -> str:
    from oodkit.report.quality_forms import quality_markdown

    return quality_markdown(document)


def _quality_csv(document: Document) -> str:
    from oodkit.report.quality_forms import quality_csv

    return quality_csv(document)


BOTH: dict[Format, Callable[[Document], str]] = {Format.text: _text, Format.json: _json}
A_RUN = {**BOTH, Format.markdown: _markdown, Format.csv: _csv, Format.model_card: _model_card}
RENDERERS = {
    "diagnose": A_RUN,
    "augdelete": A_RUN,
    "ablate": {**BOTH, Format.markdown: _ablation_markdown, Format.csv: _ablation_csv},
    "quality": {**BOTH, Format.markdown: _quality_markdown, Format.csv: _quality_csv},
    "compare": {**BOTH, Format.markdown: _comparison_markdown, Format.csv: _comparison_csv},
}
