"""``trial.json``: what a trial was asked for and, once it is over, what it came to."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from oodkit.ablation import Figures, Trial
from oodkit.atomic import write_atomically
from oodkit.errors import InputError, UsageError
from oodkit.run_folder import the_first
from oodkit.training.folder import differences, require_same

TRIAL = "trial.json"
FORMAT = 1
LONGEST = 100  # bytes of a recipe's spec in a folder's name, which holds 255 at most


def folder_name(recipe: str, seed: int) -> str:
    """The name of a trial's folder, which any file system takes; of another recipe or seed it is another."""
    text = quote(recipe.replace(":", "-", 1), safe="=,+")
    if len(text) > LONGEST:
        from hashlib import blake2b

        text = f"{text[:LONGEST]}-{blake2b(recipe.encode(), digest_size=6).hexdigest()}"
    return f"{text}-seed{seed}"


def stored_trial(folder: Path, asked: Mapping[str, Any]) -> tuple[Trial, tuple[str, ...]] | None:
    """The finished trial of the folder, with its notes; None where it has yet to be made, or to be ended.

    Raises UsageError, which names the settings, where that of the folder was asked for something else, InputError where its file
    is damaged.
    """
    path = folder / TRIAL
    if not path.is_file():
        return None
    with _damaged_where_it_fails(path):
        document = _read(path)
        before, found = document["asked"], document["found"]
        trial = None if found is None else _trial(folder, asked, found)
        notes = () if found is None else tuple(str(note) for note in found["notes"])
    if trial is None:
        require_same(folder, before, asked)
        return None
    if differing := differences(before, asked):
        raise UsageError(f"{folder} holds another trial: {the_first(differing)}; ask for the same again, or give another folder")
    return trial, notes


def has_ended(folder: Path) -> tuple[str, int] | None:
    """The recipe and the seed of a finished trial; None of an unfinished one, and where the folder is another's by its name.

    Raises InputError where its file is damaged.
    """
    path = folder / TRIAL
    with _damaged_where_it_fails(path):
        document = _read(path)
        recipe, seed = str(document["asked"]["recipe"]), int(document["asked"]["settings"]["seed"])
        return (recipe, seed) if document["found"] is not None and folder_name(recipe, seed) == folder.name else None


def store_trial(folder: Path, asked: Mapping[str, Any], trial: Trial | None = None, notes: tuple[str, ...] = ()) -> None:
    """Write what was asked for and, once it is there, what was found. Raises OodkitError where that can't be written."""
    found = None
    if trial is not None:
        figures = {head: vars(getattr(trial, head)) for head in ("before", "after")}
        found = {"seconds": trial.seconds, **figures, "notes": notes}
    text = json.dumps({"format": FORMAT, "asked": asked, "found": found}, indent=1, allow_nan=False)
    write_atomically(folder / TRIAL, lambda temporary: temporary.write_text(f"{text}\n", "utf-8"))


@contextmanager
def _damaged_where_it_fails(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"can't read the trial in {path}: {error}; delete {path.parent} to have it made again") from error


def _read(path: Path) -> Any:
    if not path.is_file():  # a pipe would be waited for
        raise FileNotFoundError("it is no file")
    document = json.loads(path.read_text("utf-8"))
    if document["format"] != FORMAT or not isinstance(document["asked"], dict):
        raise ValueError("it is of another version of oodkit")
    return document


def _trial(folder: Path, asked: Mapping[str, Any], found: Mapping[str, Any]) -> Trial:
    before, after = (_figures(found[head]) for head in ("before", "after"))
    return Trial(asked["recipe"], asked["settings"]["seed"], folder.name, _number(found["seconds"]), before, after, None)


def _figures(found: Mapping[str, Any]) -> Figures:
    aurocs, fprs = ({str(scorer): _numbers(own) for scorer, own in found[name].items()} for name in ("aurocs", "fpr95_ood"))
    return Figures(_number(found["accuracy"]), aurocs, fprs, _numbers(found["max_logits"]))


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): _number(value) for name, value in found.items()}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
