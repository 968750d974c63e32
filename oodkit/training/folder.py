"""A run's folder: what its training.json says, and whether a run of before is the one that is asked for now."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from oodkit.errors import UsageError
from oodkit.run_folder import (
    FINISHED,
    FIT,
    LOCK,
    SYNTHESIS,
    TRAINING,
    Document,
    Shape,
    alone_with,
    read_document,
    shown,
    the_first,
    write_document,
)
from oodkit.training.settings import Settings

LOG = "log.jsonl"
LAST, BEST = "last.safetensors", "best.safetensors"
MODEL, BEFORE = "model.safetensors", "before.safetensors"  # local-dir:RUN loads the first
KIND, SCHEMA = "training", 1
# beside a config.json timm would take model.safetensors for its own
OWN = (TRAINING, SYNTHESIS, FIT, LOG, LAST, BEST, MODEL, BEFORE, "config.json")
OF_RECIPE = " of the recipe"  # behind its settings, where they are told
OF_STEP = ("processes", "batch size", "outlier batch")

ASKED: Shape = {"recipe": str, "classes": int, "settings": {"epochs": int, "alpha": float}, "sets": {"data": {"spec": str}}}
RUN: Shape = {"asked": ASKED, "images": {"data": int}, "notes": list, "unreadable": dict}
RESULT: Shape = {"seconds": float, "note": str, "scored_by": list, "val_accuracy": object, "augdelete": object, "best": object}


def read_run(folder: Path) -> Document | None:
    """The training.json of the folder; None where no run is in it.

    Raises UsageError where a run would write over other files, and for one that is damaged or of another version.
    """
    document = read_document(folder / TRAINING, KIND, SCHEMA, RUN, {"result": RESULT})
    if document is None and (there := next((name for name in OWN if (folder / name).exists()), None)):
        raise UsageError(f"{folder} has a {there} and no training of oodkit's beside it; give another folder, a new one")
    return document


def trained_on(model: str) -> str | None:
    """The spec of the images that a model was trained on, where its name is that of a run's folder or of a network in one.

    As ``local-dir:FOLDER``, ``FOLDER/model.safetensors``, ``FOLDER/best.safetensors`` or ``FOLDER/before.safetensors``.
    """
    path = Path(model.removeprefix("local-dir:"))
    folder = path.parent if path.name in (MODEL, BEST, BEFORE) else path
    if folder == path and not model.startswith("local-dir:"):
        return None
    try:
        document = read_run(folder)
        return None if document is None else str(document["asked"]["sets"]["data"]["spec"])
    except (UsageError, KeyError, TypeError):
        return None


def write_run(folder: Path, document: Mapping[str, Any]) -> None:
    """Raises OodkitError where the disk is full or the folder can't be written."""
    write_document(folder / TRAINING, document)


def is_finished(folder: Path, document: Mapping[str, Any]) -> bool:
    """Whether the run of this training.json came to its end, and its network is still there."""
    return document.get("status") == FINISHED and (folder / MODEL).is_file()


def require_same(
    folder: Path,
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    what: str = "training",
    saved_as: Sequence[str] = (LAST, BEST, MODEL),
) -> bool:
    """Whether the folder's run was asked for what is asked for now. what: its word; saved_as: the files that hold what is done.

    Raises UsageError, which names what differs, where it was asked for something else. Not where nothing of it was saved yet: a
    setting that ended it in the first step may be mended.
    """
    differing = differences(before, now)
    if differing and any((folder / name).exists() for name in saved_as):
        raise UsageError(f"{folder} holds another {what}: {the_first(differing)}; ask for the same again, or give another folder")
    return not differing


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What two runs were asked for that is not the same, in words; both as training.json has it, under ``asked``.

    A setting that an older oodkit did not have yet is compared as if it had been the default. Other processes with other batches
    are the same where the images of a step are.
    """
    one, other = _flat(_completed(before)), _flat(_completed(now))
    same_recipe = one.get("recipe") == other.get("recipe")
    same_steps = (step := _step_of(one)) is not None and step == _step_of(other)
    found = []
    for key in dict.fromkeys([*other, *one]):
        if one.get(key) == other.get(key) or (OF_RECIPE in key and not same_recipe) or (key in OF_STEP and same_steps):
            continue
        if key.endswith(" spec"):
            continue  # the fingerprint tells
        if key.endswith(" fingerprint"):
            found.append(_of_sets(key.removesuffix(" fingerprint"), one, other))
        else:
            found.append(f"{key} {shown(one.get(key))} there, {shown(other.get(key))} here{_remedy(key, one, other)}")
    return found


def _remedy(key: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """With how large a batch other processes would take the same steps."""
    step, processes = _step_of(one), other.get("processes")
    if key != "processes" or step is None or not isinstance(processes, int):
        return ""
    batch = step[0] // max(processes, 1)
    return f", which take the same steps with --batch-size {batch}" if _step_of({**other, "batch size": batch}) == step else ""


def _completed(asked: Mapping[str, Any]) -> dict[str, Any]:
    """With the defaults of all settings that are not there."""
    from oodkit.training.recipes import parse_recipe

    completed = dict(asked)
    if isinstance(asked.get("settings"), Mapping):
        completed["settings"] = {**asdict(Settings()), **asked["settings"]}
    own = asked.get("recipe_settings", {})
    if isinstance(recipe := asked.get("recipe"), str) and isinstance(own, Mapping):
        with suppress(UsageError):  # of an oodkit that has other recipes
            completed["recipe_settings"] = {**parse_recipe(recipe).settings(), **own}
    return completed


def _step_of(flat: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Of all processes together: images, real ones among them, and outliers. None where it does not say so."""
    processes, batch, alpha, outliers = (flat.get(key) for key in ("processes", "batch size", "alpha", "outlier batch"))
    if not (isinstance(processes, int) and isinstance(batch, int) and isinstance(alpha, int | float) and math.isfinite(alpha)):
        return None
    beside = outliers if isinstance(outliers, int) else 2 * batch
    return processes * batch, processes * round(alpha * batch), processes * beside


def _of_sets(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    specs = [shown(values.get(f"{name} spec")) for values in (one, other)]
    if specs[0] == specs[1]:
        return f"the images of {name}, {specs[0]}, have changed since"
    return f"{name} {specs[0]} there, {specs[1]} here"


def _flat(asked: Mapping[str, Any]) -> dict[str, Any]:
    """By one word a key, as people write it: ``batch size``, ``data spec``."""
    flat: dict[str, Any] = {}
    for key, value in asked.items():
        if isinstance(value, dict) and key in {"settings", "sets"}:
            flat |= _flat(value)
        elif isinstance(value, dict) and key == "recipe_settings":
            flat |= {f"{name}{OF_RECIPE}": one for name, one in value.items()}
        elif isinstance(value, dict) and {"spec", "fingerprint"} <= value.keys():
            flat |= {f"{key} spec": value["spec"], f"{key} fingerprint": value["fingerprint"]}
        else:
            flat[key.replace("_", " ")] = value
    return flat


def alone_in(folder: Path) -> AbstractContextManager[None]:
    """While open, no other process can train into the folder. Raises as ``run_folder.alone_with``."""
    return alone_with(folder / LOCK, folder, "training")
