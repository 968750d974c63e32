"""The text that a class becomes for a text-to-image network."""

import re
from string import Formatter

from oodkit.errors import UsageError
from oodkit.synth.base import ImageClass

TEMPLATE = "a photo of a {name}, {definition}"
FIELDS = ("name", "definition")


def require_template(template: str) -> None:
    """Raise UsageError where it holds another field than {name} and {definition}, or neither."""
    try:
        fields = [(name, rest) for _, name, *rest in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise UsageError(f"can't read the template {template!r}: {error}; it takes {{name}} and {{definition}}") from error
    if wrong := [name for name, (spec, conversion) in fields if name not in FIELDS or spec or conversion]:
        raise UsageError(f"the template {template!r} has {{{wrong[0]}}}; it takes {{name}} and {{definition}}")
    if not fields:
        raise UsageError(f"the template {template!r} says no class: it takes {{name}} and {{definition}}")


def prompt_of(template: str, of: ImageClass) -> str:
    """The template with the class's first name, underscores as spaces, and its definition.

    Where there is no definition, its field goes, and so do the comma, colon or dash, or the brackets, that join it to the rest.
    """
    if not of.definition:
        template = re.sub(r"\s*\(\s*\{definition\}\s*\)|[\s,;:–—-]*\{definition\}", "", template)
    name = of.name.split(",")[0].replace("_", " ").strip()
    return template.format(name=name, definition=of.definition).strip()
