"""The forms that a result is printed in, each made of its document and of nothing else."""

import re
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import typer

from oodkit.cli.options import Format
from oodkit.errors import UsageError

Document = dict[str, Any]


def chosen(form: Format | None, as_json: bool) -> Format:
    """What ``--format`` and ``--json`` come to. Raises UsageError where they contradict each other."""
    if as_json and form not in {None, Format.json}:
        raise UsageError(f"--json and --format {form} contradict each other; give one of them")
    return Format.json if as_json else form or Format.text


def print_result(document: Document, form: Format) -> None:
    """Print the document to stdout; as text in colours, where that is a terminal."""
    if form == Format.text:
        _print_text(document)
    else:
        typer.echo(rendered(document, form), nl=False)


def rendered(document: Document, form: Format) -> str:
    """The document in one of the forms, as a file has it: with a line break at its end, and without colours."""
    return RENDERERS[form](document)


def _print_text(document: Document) -> None:
    from oodkit.report.terminal import print_document

    print_document(document)


def _text(document: Document) -> str:
    with redirect_stdout(StringIO()) as text:
        _print_text(document)
    return re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue())  # FORCE_COLOR puts them even into a file


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


RENDERERS: dict[Format, Callable[[Document], str]] = {
    Format.text: _text,
    Format.json: _json,
    Format.markdown: _markdown,
    Format.csv: _csv,
    Format.model_card: _model_card,
}
