"""The public names with their arguments, and the options of every command, are those that users rely on: tests/frozen.txt has them.

A change of it is a change of the interface: it goes into the changelog. ``python tests/test_frozen.py`` writes the file anew.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import oodkit
from oodkit.cli import app

FROZEN = Path(__file__).with_name("frozen.txt")


def interface() -> Iterator[str]:
    yield from sorted(_options(typer.main.get_command(app), "oodkit"))
    for name in oodkit.__all__:
        yield from _arguments(f"oodkit.{name}", getattr(oodkit, name))


def _options(command: Any, words: str) -> Iterator[str]:
    for one in command.params:
        said = " ".join([*one.opts, *one.secondary_opts]) if one.param_type_name == "option" else one.name
        repeatable = " …" if getattr(one, "multiple", False) or one.nargs == -1 else ""
        yield f"{words} {said}{repeatable}{'' if one.required else f' = {_shown(one.default)}'}"
    for name, child in getattr(command, "commands", {}).items():
        yield from _options(child, f"{words} {name}")


def _arguments(name: str, thing: Any) -> Iterator[str]:
    if inspect.isclass(thing):
        if not issubclass(thing, BaseException):
            yield _called(name, thing)
        for own, member in sorted(vars(thing).items()):
            if not own.startswith("_"):
                function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
                yield _called(f"{name}.{own}", function) if inspect.isfunction(function) else f"{name}.{own}"
    else:
        yield _called(name, thing)


def _called(name: str, function: Any) -> str:
    said, keyword_only = [], False
    for one in inspect.signature(function).parameters.values():
        if one.kind is one.KEYWORD_ONLY and not keyword_only:
            said.append("*")
            keyword_only = True
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        keyword_only |= one.kind is one.VAR_POSITIONAL
        said.append(f"{stars}{one.name}{'' if one.default is one.empty else f'={_shown(one.default)}'}")
    return f"{name}({', '.join(said)})"


def _shown(default: Any) -> str:
    plain = default is None or isinstance(default, bool | int | float | str | tuple)
    return repr(getattr(default, "value", default)) if plain else "…"


def test_the_interface_is_the_one_that_users_rely_on() -> None:
    now, frozen = list(interface()), FROZEN.read_text("utf-8").splitlines()
    gone, new = [line for line in frozen if line not in now], [line for line in now if line not in frozen]
    assert not gone, f"gone or changed; if that is meant, python {FROZEN.with_name(Path(__file__).name)} writes {FROZEN.name} anew"
    assert not new, f"new; python tests/test_frozen.py writes {FROZEN.name} anew"


if __name__ == "__main__":
    FROZEN.write_text("".join(f"{line}\n" for line in interface()), "utf-8")
