"""``--generator-arg K=V``: what is passed on to a generator."""

import json
from collections.abc import Sequence
from typing import Any

import typer

OPTION = "--generator-arg"


def generator_arguments(texts: Sequence[str]) -> dict[str, Any]:
    """By name the values, read as JSON where they are, such as 0.5, true or [1, 2], and anything else as text.

    Raises typer.BadParameter for a text without = or with a key that is no name, for a name that comes twice, and for a number
    that is not finite, which run.json could not hold.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        name = key.strip().replace("-", "_")
        if not (separator and name.isidentifier()):
            raise typer.BadParameter(f"{text!r} is not K=V, e.g. truncation=0.5", param_hint=OPTION)
        if name in arguments:
            raise typer.BadParameter(f"{name} comes twice; give it once", param_hint=OPTION)
        arguments[name] = _value(text, value)
    return arguments


def _value(text: str, value: str) -> Any:
    def refuse(constant: str) -> None:
        raise typer.BadParameter(f"{text!r} gives {constant}, expected a finite number or anything else", param_hint=OPTION)

    try:
        return json.loads(value, parse_constant=refuse)
    except (ValueError, RecursionError):
        return value
