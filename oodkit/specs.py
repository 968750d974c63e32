"""Specs: ``name:setting=value,setting=value``, the words by which scorers, probes and recipes are named with their settings.

What a spec may name is a table of dataclasses by name; the fields of each are its settings.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from oodkit.errors import UsageError

_WORDS = {"none": None, "true": True, "false": False}
LARGEST = 2**63 - 1  # that PyTorch's whole numbers hold
LONG = 4  # letters; a shorter part of a title may be a part of any word


def spec_of(name: str, settings: Mapping[str, Any]) -> str:
    """A name and settings as ``read_spec`` reads them: ``knn:k=10``; true, false and none in small letters."""
    words = {True: "true", False: "false", None: "none"}
    texts = [f"{key}={words[value] if value is None or isinstance(value, bool) else value}" for key, value in settings.items()]
    return ":".join([name, ",".join(texts)]).removesuffix(":")


def changed_settings(own: Any) -> dict[str, Any]:
    """Of a dataclass the fields, by name, whose values are not the defaults."""
    return {one.name: getattr(own, one.name) for one in fields(own) if getattr(own, one.name) != one.default}


def read_spec(spec: str, kinds: Mapping[str, type], what: str, example: str) -> tuple[str, dict[str, Any]]:
    """The name and the settings that a spec gives, the values as the fields' types take them.

    kinds: the dataclasses by name. what: what they are, in one word, for errors. example: a right spec, for errors.
    Raises UsageError for a name, setting or type unknown, for a colon without settings, and for a setting that comes twice.
    """
    name, colon, rest = spec.strip().partition(":")
    require_known(name, kinds, what)
    if colon and not rest.strip():
        raise UsageError(f"{spec!r} has no settings after its colon; write {name}, or settings as in {example}")
    settings: dict[str, Any] = {}
    for item in rest.split(",") if rest else []:
        setting, equals, text = (part.strip() for part in item.partition("="))
        if not equals:
            raise UsageError(f"{spec!r} has {item!r} where a setting=value belongs, as in {example}")
        if setting in settings:
            raise UsageError(f"{spec!r} gives {setting} twice; give it once")
        settings[setting] = value_of(text)
    return name, checked_settings(name, kinds, what, settings)


def checked_settings(name: str, kinds: Mapping[str, type], what: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the fields of the dataclass of that name take them. Raises UsageError as ``read_spec`` does."""
    require_known(name, kinds, what)
    known, types = [one.name for one in fields(kinds[name])], get_type_hints(kinds[name])
    for setting in settings:
        _require(setting, known, f"setting of {name}")
    return {setting: checked(value, types[setting], f"{name}:{setting}") for setting, value in settings.items()}


def require_known(name: str, kinds: Mapping[str, object], what: str) -> None:
    """Raise UsageError, with the nearest names or all there are, where no kind has this name; titles are understood."""
    said = name.casefold()
    titles = {own: str(getattr(kind, "title", own)).casefold() for own, kind in kinds.items()}
    meant = [own for own, title in titles.items() if said in (own, title)] or get_close_matches(said, list(kinds))
    meant = meant or [own for own, title in titles.items() if len(said) >= LONG and said in title]
    _require(name, list(kinds), what, meant)


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
        return any(type(value) is type(one) and value == one for one in get_args(option))
    if option in (int, float):
        if isinstance(value, int):
            return not isinstance(value, bool) and abs(value) <= LARGEST
        return option is float and isinstance(value, float) and math.isfinite(value)
    return isinstance(value, option)


def _describe(option: Any) -> str:
    if get_origin(option) is Literal:
        return " or ".join(map(str, get_args(option)))
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "none"}[option]


def _require(word: str, known: Sequence[str], what: str, meant: Iterable[str] = ()) -> None:
    if word in known:
        return
    near = list(meant) or get_close_matches(word, known)
    says = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(known) or 'none'}"
    raise UsageError(f"unknown {what}: {word!r}; {says}")
