"""What the HTML report's templates are read with: escaping, and the few things that may stand in a page as markup."""

import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from oodkit.report import numerals
from oodkit.report.glossary import every_key
from oodkit.report.remarks import in_pairs, settings_in_words
from oodkit.wording import p_told, p_value, printable

LONGEST_IN_BAR = 24


def environment_with(terms: set[str]) -> Any:
    """jinja2's environment of the templates, which escapes every text. terms: the keys of those that are defined on the page.

    What a template names and nobody gave it is an error, and no blank on the page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("oodkit.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finished,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "number": numerals.number,
        "interval": numerals.interval,
        "bracket": numerals.bracket,
        "count": numerals.count,
        "tint": numerals.tint,
        "sortable": numerals.sortable,
        "p_value": _p_value,
        "settings": settings_in_words,
        "in_pairs": in_pairs,
        "ending": _ending,
        "breakable": _breakable,
        "prose": _prose,
    }
    environment.globals |= {"term": _linker(terms), "zip": zip}
    return environment


def _finished(value: object) -> object:
    """What a template's expression becomes, before it is escaped; markup of our own is left as it is."""
    return printable(value) if type(value) is str else value


def _ending(name: str) -> str:
    """The end of a long name, which tells checkpoints of one folder apart."""
    return name if len(name) <= LONGEST_IN_BAR else f"…{name[1 - LONGEST_IN_BAR :]}"


def _p_value(p: float, *, bare: bool = False) -> str:
    """``p = 0.0581`` or ``p < 0.0001``; in a table's cell without the p."""
    return p_value(p) if bare else p_told(p)


def _breakable(name: str) -> str:
    """A long name as it may be broken: after its separators rather than anywhere."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[/:_])", printable(name)))


def _prose(text: str) -> str:
    """A sentence as it is printed: no number is parted from its per cent or its p, and what r is of stands below the line."""
    from markupsafe import Markup, escape

    joined = re.sub(r"(?<=\d) %", "&nbsp;%", str(escape(printable(text))))
    joined = re.sub(r"\bp (&lt;|=|≤) (?=\d)", r"p&nbsp;\1&nbsp;", joined)
    return Markup(re.sub(r"\br_(id|ood)\b", r"r<sub>\1</sub>", joined))  # noqa: S704 (escaped above)


def frame(environment: Any) -> dict[str, str]:
    """What ``_page.html.j2`` holds around every page: the style sheet, the one script, and the hash that lets that one run."""
    script, style = (_part(environment, name) for name in ("tables.js", "style.css"))
    return {"style": style, "script": script, "script_hash": b64encode(sha256(script.encode()).digest()).decode()}


def _part(environment: Any, name: str) -> str:
    """One of the template folder's files as it is."""
    from markupsafe import Markup

    return Markup(environment.loader.get_source(environment, name)[0])  # noqa: S704 (the package's own file)


def drawn(svg: str) -> str:
    """A picture, as markup."""
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704 (made from numbers; the pictures escape every name)


def _linker(keys: set[str]) -> Callable[..., str]:
    """``term(key, text)`` of the templates: the text, by default the key's, as a link to its entry, where the page has it.

    Raises ValueError for a key that the glossary does not have at all.
    """
    from markupsafe import Markup, escape

    known = every_key()

    def term(key: str, text: str = "") -> str:
        if key not in known:
            raise ValueError(f"the glossary has no term '{key}'; it has {', '.join(sorted(known))}")
        shown = escape(printable(text) or key.replace("-", " "))
        return Markup('<a class="term" href="#term-{}">{}</a>').format(key, shown) if key in keys else shown

    return term
