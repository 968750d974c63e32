"""Values of settings: what a text means, and whether a value is one that a field takes."""

import math
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

from oodkit.errors import UsageError

_WORDS = {"none": None, "true": True, "false": False}
LARGEST = 2**63 - 1  # that PyTorch's whole numbers hold


def value_of(text: str) -> Any:
    """The text as None, true or false, a number, or else itself."""
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def checked(value: Any, hint: Any, where: str) -> Any:
    """The value as the first of the hint's types that it is; a whole number is a number, a scalar of numpy what it holds.

    Raises UsageError, one line, where it is none of them, and for numbers that are not finite.
    """
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    value = value.item() if isinstance(value, np.generic) else value
    for option in options:
        if _is(value, option):
            return float(value) if option is float else value
    raise UsageError(f"{where} takes {' or '.join(_describe(option) for option in options)}, got {value!r}")


def _is(value: Any, option: Any) -> bool:
    if get_origin(option) is Literal:
        return isinstance(value, str) and value in get_args(option)
    if option in (int, float):
        if isinstance(value, int):
            return not isinstance(value, bool) and abs(value) <= LARGEST
        return option is float and isinstance(value, float) and math.isfinite(value)
    return isinstance(value, option)


def _describe(option: Any) -> str:
    if get_origin(option) is Literal:
        return " or ".join(get_args(option))
    return {int: "a whole number", float: "a number", bool: "true or false", NoneType: "none"}[option]
