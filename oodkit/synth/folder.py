"""The folder of a synthesis: what its run.json says, and whether the one that is asked for now is the same or more of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oodkit.atomic import write_atomically
from oodkit.errors import OodkitError, UsageError
from oodkit.images import synthesis
from oodkit.synth.journal import JOURNAL
from oodkit.wording import printable

RUN, KIND, UNFINISHED = synthesis.RUN, synthesis.KIND, synthesis.UNFINISHED
SCHEMA, FINISHED = 1, "finished"
AMOUNTS = ("per_class", "count", "quota")  # more of these adds to what is there
LOCK = ".lock"
SHOWN = 40  # characters of a value that an error quotes

Document = dict[str, Any]
FITS: Mapping[str, Callable[[Any], bool]] = {
    "status": lambda value: value in (UNFINISHED, FINISHED),
    "created": lambda value: isinstance(value, str),
    "asked": lambda value: isinstance(value, dict),
    "batch_size": lambda value: isinstance(value, int) and value > 0,
}


def read_run(folder: Path) -> Document | None:
    """The run.json of a synthesis; None where nothing is in the folder.

    Raises UsageError where the folder holds other files, and for a run.json that is damaged or of another version.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; give the name of a folder")
    path = folder / RUN
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        _require_empty(folder)
        return None
    except (OSError, ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise UsageError(f"{path} is damaged or none of a synthesis; give another folder, a new one")
    if (schema := document.get("schema")) != SCHEMA:
        found = f"{path} is of schema {_shown(schema)}, and this oodkit reads schema {SCHEMA}"
        raise UsageError(f"{found}; take the oodkit that wrote it, or give another folder, a new one")
    if unfit := next((key for key, fits in FITS.items() if not fits(document.get(key))), None):
        raise UsageError(f"{path} is damaged: {unfit} is missing or no such value; give another folder, a new one")
    if is_finished(document) and not isinstance(document.get("counts"), dict):
        raise UsageError(f"{path} is damaged: counts is missing or no such value; give another folder, a new one")
    return document


def _require_empty(folder: Path) -> None:
    there = sorted(one.name for one in folder.iterdir() if not one.name.startswith(".")) if folder.exists() else []
    if there:
        beside = f"{folder} holds {printable(repr(there[0]))} and no synthesis of oodkit's beside it"
        raise UsageError(f"{beside}; give another folder, a new one")


def write_run(folder: Path, document: Mapping[str, Any]) -> None:
    """Raises OodkitError where the disk is full or the folder can't be written."""
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    write_atomically(folder / RUN, lambda path: path.write_text(text, "utf-8"))


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
        found.append(_of_classes(there, here) if key == "classes" else f"{_words(key)} {_shown(there)} there, {_shown(here)} here")
    return found


def require_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UsageError, which names what differs, where the folder's synthesis was asked for something else."""
    if differing := differences(before, now):
        few = "; ".join(differing[:4]) + ("; …" if len(differing) > 4 else "")
        raise UsageError(f"{folder} holds another synthesis: {few}; ask for the same again, or for more, or give another folder")


@contextmanager
def alone_in(folder: Path, rank: int) -> Iterator[None]:
    """While open, no other process of this rank can make images into the folder; the lock goes with the process.

    Raises UsageError where another one does, OodkitError where the folder can't be made.
    """
    from filelock import FileLock, Timeout

    place = folder / JOURNAL / f"{rank}{LOCK}"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise UsageError(f"another process is making images into {folder}; wait for it, or give another folder") from error
    except OSError as error:
        raise OodkitError(f"can't write to {folder}: {error.strerror or error}; give another folder") from error
    try:
        yield
    finally:
        lock.release()


def _flat(asked: Mapping[str, Any]) -> dict[str, Any]:
    facts = asked.get("facts")
    of_generator = {f"{key} of the generator": fact for key, fact in facts.items()} if isinstance(facts, Mapping) else {}
    return {key: value for key, value in asked.items() if key != "facts"} | of_generator


def _of_classes(there: Any, here: Any) -> str:
    if not (isinstance(there, list) and isinstance(here, list)):
        return "classes there or here alone"
    first = next((one for one in [*here, *there] if (one in here) != (one in there)), None)
    named = "in another order" if first is None else f"such as {_shown(first)}"
    return f"other classes ({len(there)} there, {len(here)} here, {named})"


def _words(key: str) -> str:
    return printable(key.replace("_", " "))


def _shown(value: Any) -> str:
    text = "none" if value is None else printable(str(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
