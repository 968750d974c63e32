"""A value that is none of an option's choices: the error in oodkit's own words, with what was probably meant."""

import ast
import re
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperGroup

# typer tells of it in words alone, in some versions with pydantic's before them
NO_CHOICE = re.compile(r"(?:Value error, )?(?P<given>.+) is not one of (?P<choices>.+?)\.?", re.DOTALL)


class Commands(TyperGroup):
    """The commands of oodkit."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = meant(error.message)
            raise


def meant(message: str) -> str:
    """What typer says of a value that is no choice, with the nearest choice; any other message as it is."""
    found = NO_CHOICE.fullmatch(message)
    if found is None:
        return message
    try:
        given, choices = (ast.literal_eval(f"[{found[part]}]") for part in ("given", "choices"))
    except (ValueError, SyntaxError):
        return message
    near = get_close_matches(str(given[0]).lower(), choices, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{found['given']} is not one of {found['choices']}{hint}"
