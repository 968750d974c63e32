"""What a page calls its models: a name that is a path is long, and its last part tells most."""

import re
from collections.abc import Iterable, Mapping

PATH = re.compile(r"(?:py|local-dir):|[^:]*[/\\][^:]*\.(?:safetensors|pth|pt|bin)$")


def short_names(names: Iterable[str]) -> dict[str, str]:
    """By name the last part of it, where the name is a path: ``py:data/resnet.py:resnet20`` is ``resnet20``.

    A name that is none stays as it is, and so do those whose last parts are alike.
    """
    parts = {name: _last_part(name) for name in names}
    shared = list(parts.values())
    return {name: part if shared.count(part) == 1 else name for name, part in parts.items()}


def named_after(short: Mapping[str, str], before: str, after: str) -> dict[str, str]:
    """The same with the repaired model called as the model that it was made of, and what its own name adds."""
    added = after.removeprefix(before)
    return {**short, after: short[before] + added} if added != after else dict(short)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The text with each of these names as the mapping has it.

    The longest first, since the name of a repaired model holds that of the one that it was made of.
    """
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    return text


def _last_part(name: str) -> str:
    return (re.split(r"[:/\\]", name.rstrip("/\\"))[-1] or name) if PATH.match(name) else name
