"""A stored result, read with suspicion: it can be damaged, of another version, or from anywhere."""

import json
import math
import shlex
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from oodkit.errors import InputError, UsageError
from oodkit.report.ablations import KIND as ABLATION
from oodkit.report.ablations import SCHEMA as ABLATION_SCHEMA
from oodkit.report.document import KIND, KINDS, REPAIR, SCHEMA, Document
from oodkit.report.qualities import KIND as QUALITY
from oodkit.report.qualities import SCHEMA as QUALITY_SCHEMA
from oodkit.wording import printable

EVERY_KIND = (*KINDS, ABLATION, QUALITY)
OWN_SCHEMAS = {ABLATION: ABLATION_SCHEMA, QUALITY: QUALITY_SCHEMA}  # beside that of models
CLOSING = {"additionalProperties", "minimum", "maximum"}
LARGEST_RESULT = 2**28  # bytes; what a run folder from elsewhere may fill the memory with


def load_document(path: Path, kinds: Sequence[str] = KINDS) -> Document:
    """The document of a run in its ``result.json``, with every key that the schema asks for. kinds: those that will do.

    Keys that the schema does not know are let pass, as a later version may have added them. Raises UsageError where there is no
    such file, and InputError for one that is damaged, of another kind, or of another version's schema.
    """
    if not path.is_file():
        raise UsageError(f"no run in {path.parent}: it has no {path.name}; give the folder of a run that has ended")
    if path.suffix != ".json":
        raise InputError(f"{path} is no result of oodkit, which is a .json file; give the folder of a run")
    document = read_json(path)
    if not isinstance(document, dict) or type(document.get("schema")) is not int or not isinstance(document.get("kind"), str):
        raise InputError(f"{path} is no result of oodkit: expected an object with a kind and a schema; give the folder of a run")
    if document["kind"] not in kinds:
        known = " or ".join(f"'{one}'" for one in kinds)
        raise InputError(f"{path} is of the kind '{printable(document['kind'])}', expected {known}; {_instead(document, path)}")
    name, number = (document["kind"], own) if (own := OWN_SCHEMAS.get(document["kind"])) else (KIND, SCHEMA)
    if document["schema"] < number:
        raise InputError(f"{path} was made by an older oodkit (schema {document['schema']}, now {number}); {_again(document)}")
    if document["schema"] > number:
        raise InputError(f"{path} was made by a newer oodkit (schema {document['schema']}, here {number}); update oodkit")
    if (misfit := misfit_of(document, name)) is not None:
        raise InputError(f"{path}, made by oodkit {printable(str(document.get('oodkit', '?')))}, {misfit}; {_again(document)}")
    return document


def _instead(document: Document, path: Path) -> str:
    if document["kind"] != ABLATION:
        return "give a run of one of these"
    try:
        trial = printable(str(path.parent / document["trials"][0]["folder"]))
    except (LookupError, TypeError):
        trial = f"{path.parent}/TRIAL"
    return f"diagnose its trials, each with oodkit diagnose {shlex.quote(f'local-dir:{trial}')}, and give these runs"


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises InputError for one that is too large to be a result, damaged, or can't be read."""
    try:
        if path.stat().st_size > LARGEST_RESULT:
            raise InputError(f"{path} is larger than {LARGEST_RESULT >> 20} MiB, no result is; give another run")
        return json.loads(path.read_bytes(), parse_constant=_number, parse_float=_number, parse_int=_integer)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}; give another run") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}; diagnose again") from error


def misfit_of(document: Document, name: str) -> str | None:
    """Where the document departs from the schema of that name, ``lacks models[0].roc``; None where it only has more keys."""
    error = next(_validator(name).iter_errors(document), None)
    if error is None:
        return None
    while error.context:  # of what may be null too: what keeps it from being the other
        error = error.context[0]
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"lacks {_place([*error.absolute_path, missing])}"
    return f"has {_place(error.absolute_path)} not as it must be ({error.validator}: {error.validator_value})"


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator

    text = (files("oodkit.report") / "schemas" / f"{name}.schema.json").read_text("utf-8")
    return Draft202012Validator(_opened(json.loads(text)))


def _opened(schema: Any) -> Any:
    """The schema without its word against further keys, and without bounds: rounding past one must not cost a run."""
    if isinstance(schema, list):
        return [_opened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _opened(one) for key, one in schema.items() if not (key in CLOSING and isinstance(one, int | float))}


def _place(path: Iterable[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{printable(step)}" for step in path).removeprefix(".")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no number in JSON, or none of 64 bits")
    return number


def _integer(text: str) -> int:
    _number(text)
    return int(text)


def _again(document: Document) -> str:
    command = document.get("command")
    again = {REPAIR: "repair again", ABLATION: "make it again", QUALITY: "measure again"}.get(document["kind"], "diagnose again")
    return f"{again}: {printable(command)}" if isinstance(command, str) else again
