"""``--model-arg K=V`` and ``--generator-arg K=V``: what is passed on by name."""

import ast
import json
from collections.abc import Sequence
from typing import Any

import typer


def keyed(texts: Sequence[str], option: str) -> dict[str, Any]:
    """By name the values: as Python or JSON writes them, such as 0.5, True, null or [1, 2], and anything else as text.

    Raises typer.BadParameter for a text without = or with a key that is no name, for a name that comes twice, and for a value that
    a result can't hold.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        name = key.strip().replace("-", "_")
        if not (separator and name.isidentifier()):
            raise typer.BadParameter(f"{text!r} is not K=V, such as depth=2", param_hint=option)
        if name in arguments:
            raise typer.BadParameter(f"{name} comes twice; give it once", param_hint=option)
        arguments[name] = _value(value)
        _require_storable(text, arguments[name], option)
    return arguments


def spelled(value: object) -> str:
    """The text that ``keyed`` takes for this value: of one that is text, in quotes where it would be taken for something else."""
    return value if isinstance(value, str) and _value(value) == value else repr(value)


def _value(text: str) -> Any:
    for read in (ast.literal_eval, json.loads):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text


def _require_storable(text: str, value: object, option: str) -> None:
    """The result names every argument, as JSON: what that can't hold is refused before there is a result to lose."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        expected = "expected text, a finite number, True, False, None, or a list or dict of these"
        raise typer.BadParameter(f"{text!r} can't stand in the result; {expected}", param_hint=option) from error
