"""What a generator can be told with ``--generator-arg``: the keywords that its class or function takes."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_type_hints

from oodkit import specs

NOT_SAID = ("device", "trust_remote_code")  # which have options of their own


def known_arguments(maker: Callable[..., Any], apart: Collection[str] = NOT_SAID) -> dict[str, inspect.Parameter]:
    """The keywords by name, without those of ``apart`` and what can't be given by name alone, such as a class's ``spec``."""
    parameters = inspect.signature(maker).parameters
    kinds = (
        (inspect.Parameter.KEYWORD_ONLY,)
        if inspect.isclass(maker)
        else (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    )
    return {name: one for name, one in parameters.items() if one.kind in kinds and name not in apart}


def takes_any(maker: Callable[..., Any]) -> bool:
    """Whether it has a ``**keywords`` and judges by itself what it is given."""
    return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in inspect.signature(maker).parameters.values())


def checked_arguments(
    maker: Callable[..., Any], arguments: Mapping[str, Any], spec: str, apart: Collection[str] = NOT_SAID
) -> dict[str, Any]:
    """The arguments as ``maker`` takes them: a class of ours by the types that it states, another's function by the names alone.

    Raises UsageError for a name unknown, with near names, and for a value of another type.
    """
    known = known_arguments(maker, apart)
    hints = get_type_hints(maker.__init__) if inspect.isclass(maker) else {}
    for name in arguments:
        if not takes_any(maker):
            specs.require_known(name, known, f"argument of {spec}")
    return {
        name: specs.checked(value, hints[name], f"{spec}:{name}") if name in known and name in hints else value
        for name, value in arguments.items()
    }
