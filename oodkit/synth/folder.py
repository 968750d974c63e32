"""The folder of a synthesis: what its run.json says, and whether the one that is asked for now is the same or more of it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from oodkit.errors import UsageError
from oodkit.images.synthesis import KIND
from oodkit.run_folder import (
    FINISHED,
    LOCK,
    SYNTHESIS,
    Document,
    Shape,
    alone_with,
    first_file,
    read_document,
    shown,
    the_first,
    write_document,
)
from oodkit.synth.journal import JOURNAL
from oodkit.wording import printable

SCHEMA = 1
AMOUNTS = ("per_class", "count", "quota")  # more of these adds to what is there

RUN: Shape = {"asked": dict, "batch_size": lambda value: isinstance(value, int) and value > 0}


def read_run(folder: Path) -> Document | None:
    """The run.json of a synthesis; None where nothing is in the folder.

    Raises UsageError where the folder holds other files, and for a run.json that is damaged or of another version.
    """
    document = read_document(folder / SYNTHESIS, KIND, SCHEMA, RUN, {"counts": dict})
    if document is None and (other := first_file(folder)) is not None:
        beside = f"{folder} holds {printable(repr(other))} and no synthesis of oodkit's beside it"
        raise UsageError(f"{beside}; give another folder, a new one")
    return document


def write_run(folder: Path, document: Mapping[str, Any]) -> None:
    """Raises OodkitError where the disk is full or the folder can't be written."""
    write_document(folder / SYNTHESIS, document)


def is_finished(document: Mapping[str, Any]) -> bool:
    """Whether all that was asked for has been made."""
    return document.get("status") == FINISHED


def is_more(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether now is asked for more images of the same; both as run.json has it, under ``asked``."""
    return not differences(before, now) and any(before.get(key) != now.get(key) for key in AMOUNTS)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What two syntheses were asked for that is not the same, in words; more images is no difference."""
    one, other = _flat(before), _flat(now)
    found = []
    for key in dict.fromkeys([*other, *one]):
        there, here = one.get(key), other.get(key)
        if there == here or (key in AMOUNTS and isinstance(there, int) and isinstance(here, int) and here > there):
            continue
        found.append(_of_classes(there, here) if key == "classes" else f"{_words(key)} {shown(there)} there, {shown(here)} here")
    return found


def require_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UsageError, which names what differs, where the folder's synthesis was asked for something else."""
    if differing := differences(before, now):
        way_out = "ask for the same again, or for more, or give another folder"
        raise UsageError(f"{folder} holds another synthesis: {the_first(differing)}; {way_out}")


def alone_in(folder: Path, rank: int) -> AbstractContextManager[None]:
    """While open, no other process of this rank can make images into the folder. Raises as ``run_folder.alone_with``."""
    return alone_with(folder / JOURNAL / f"{rank}{LOCK}", folder, "making images")


def _flat(asked: Mapping[str, Any]) -> dict[str, Any]:
    facts = asked.get("facts")
    of_generator = {f"{key} of the generator": fact for key, fact in facts.items()} if isinstance(facts, Mapping) else {}
    return {key: value for key, value in asked.items() if key != "facts"} | of_generator


def _of_classes(there: Any, here: Any) -> str:
    if not (isinstance(there, list) and isinstance(here, list)):
        return "classes there or here alone"
    first = next((one for one in [*here, *there] if (one in here) != (one in there)), None)
    named = "in another order" if first is None else f"such as {shown(first)}"
    return f"other classes ({len(there)} there, {len(here)} here, {named})"


def _words(key: str) -> str:
    return printable(key.replace("_", " "))
