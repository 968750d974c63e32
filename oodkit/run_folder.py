"""What the folder of a training, a synthesis or a fit has in common: a document, a lock, and words for what differs."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oodkit.atomic import write_atomically
from oodkit.errors import OodkitError, UsageError
from oodkit.wording import printable

UNFINISHED, FINISHED = "unfinished", "finished"
TRAINING, SYNTHESIS, FIT = "training.json", "run.json", "fit.json"  # a folder has one of these, or is none of them
LOCK = ".lock"
SHOWN = 40  # characters of a value that an error quotes

Document = dict[str, Any]
Shape = Mapping[str, "type | Callable[[Any], bool] | Shape"]  # what the value of each key must be
STATUS: Shape = {"status": lambda value: value in (UNFINISHED, FINISHED), "created": str}


def read_document(path: Path, kind: str, schema: int, shape: Shape, when_finished: Shape) -> Document | None:
    """What a run wrote of itself at this path; None where no such file is.

    Raises UsageError where its folder is a file, and for a document that can't be read, is of another kind or version, or damaged.
    """
    if os.path.exists(path.parent) and not os.path.isdir(path.parent):  # noqa: PTH110, PTH112 (which never raise)
        raise UsageError(f"{path.parent} is a file; give the name of a folder")
    try:
        is_no_file = path.exists() and not path.is_file()  # a pipe would be waited for
        document = None if is_no_file else json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror or error}; make it readable, or give another folder") from error
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("kind") != kind:
        raise UsageError(f"{path} is damaged or no {kind} of oodkit's; give another folder, a new one")
    if (found := document.get("schema")) != schema:
        told = f"{path} is of schema {shown(found)}, and this oodkit reads schema {schema}"
        raise UsageError(f"{told}; take the oodkit that wrote it, or give another folder, a new one")
    shape = {**STATUS, **shape}
    if unfit := _unfit(document, shape) or (_unfit(document, when_finished) if document["status"] == FINISHED else None):
        raise UsageError(f"{path} is damaged: {unfit} is missing or no such value; give another folder, a new one")
    return document


def _unfit(document: Any, shape: Shape) -> str | None:
    """The first key, with those above it, that is missing or of another type."""
    for key, expected in shape.items():
        if not isinstance(document, Mapping) or key not in document:
            return key
        value = document[key]
        if isinstance(expected, Mapping):
            if unfit := _unfit(value, expected):
                return f"{key} {unfit}"
        elif not _fits(value, expected):
            return key
    return None


def _fits(value: Any, expected: "type | Callable[[Any], bool]") -> bool:
    if isinstance(expected, type):
        return isinstance(value, (int, float) if expected is float else expected)
    return expected(value)


def begun_document(kind: str, schema: int, asked: Mapping[str, Any], before: Mapping[str, Any] | None) -> Document:
    """How the document of an unfinished run begins. before: that of the run that is gone on with, whose time it keeps."""
    created = datetime.now(UTC).isoformat(timespec="seconds") if before is None else before["created"]
    return {"kind": kind, "schema": schema, "status": UNFINISHED, "created": created, "asked": asked}


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Raises OodkitError where the disk is full or the folder can't be written, ValueError for a number that is not finite."""
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, "utf-8"))


def first_file(folder: Path) -> str | None:
    """The name of the first visible file or folder in it; None where there is none."""
    return min((one.name for one in folder.iterdir() if not one.name.startswith(".")), default=None) if folder.exists() else None


@contextmanager
def no_empty_folder(folder: Path) -> Iterator[None]:
    """The folder of a run does not stay, empty, where the run can't begin: whoever made it, the same command makes it again."""
    try:
        yield
    except OodkitError:
        with suppress(OSError):  # what it says of a folder with something in it
            folder.rmdir()
        raise


@contextmanager
def alone_with(lock: Path, folder: Path, doing: str) -> Iterator[None]:
    """While open, no other process holds this lock; it goes with the process, however that ends. doing: as "training".

    Raises UsageError where another one holds it, OodkitError where its folder can't be made.
    """
    from filelock import FileLock, Timeout

    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        held.acquire(blocking=False)
    except Timeout as error:
        raise UsageError(f"another process is {doing} into {folder}; wait for it, or give another folder") from error
    except OSError as error:
        raise OodkitError(f"can't write to {folder}: {error.strerror or error}; give another folder") from error
    try:
        yield
    finally:
        held.release()


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """While open, what the document at this path says is put into words; UsageError where it can't be."""
    try:
        yield
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UsageError(f"{path} is damaged: it says what can't be told; give another folder, a new one") from error


def the_first(differing: Sequence[str]) -> str:
    """Four differences at most, on one line."""
    return "; ".join(differing[:4]) + ("; …" if len(differing) > 4 else "")


def shown(value: object) -> str:
    """A value as an error quotes it."""
    text = "none" if value is None else printable(str(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
