"""The folder of a fit: what was asked for and what came of it, and when it may go on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oodkit.errors import UsageError
from oodkit.run_folder import FINISHED, FIT, Document, first_file, the_first, write_document
from oodkit.training.folder import LAST, differences
from oodkit.wording import printable

__all__ = ["differences", "is_finished", "read_fit", "require_same_fit", "write_fit"]

UNET_CONFIG, UNET_WEIGHTS = "unet/config.json", "unet/diffusion_pytorch_model.safetensors"  # as diffusers names them
SCHEDULER = "scheduler/scheduler_config.json"
SAMPLES = "samples.png"
KIND, SCHEMA = "synthesis-fit", 1
REQUIRED = {"status": str, "created": str, "asked": dict, "classes": list, "network": dict, "images": int, "unreadable": dict}


def read_fit(folder: Path) -> Document | None:
    """The fit.json of the folder; None where nothing is in it.

    Raises UsageError where other files are, such as a synthesis or images, and for a fit.json damaged or of another version.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; give the name of a folder")
    path = folder / FIT
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if (other := first_file(folder)) is None:
            return None
        beside = f"{printable(str(folder))} holds other files, such as {printable(other)}, and no {FIT}"
        raise UsageError(f"{beside}; give another folder, a new one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is damaged; give another folder, a new one") from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise UsageError(f"{path} is none of oodkit's; give another folder, a new one")
    if document.get("schema") != SCHEMA:
        found = f"{path} is of another schema than {SCHEMA}, which this oodkit reads"
        raise UsageError(f"{found}; take the oodkit that wrote it, or give another folder, a new one")
    if unfit := [key for key, kind in REQUIRED.items() if not isinstance(document.get(key), kind)]:
        raise UsageError(f"{path} is damaged: {unfit[0]} is missing or no such value; give another folder, a new one")
    return document


def write_fit(folder: Path, document: Mapping[str, Any]) -> None:
    """Raises OodkitError where the disk is full or the folder can't be written."""
    write_document(folder / FIT, document)


def is_finished(folder: Path, document: Mapping[str, Any]) -> bool:
    """Whether the fit of this fit.json came to its end, and its network is still there."""
    return document.get("status") == FINISHED and (folder / UNET_WEIGHTS).is_file()


def require_same_fit(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UsageError, which names what differs, where the fit in the folder was asked for something else.

    Not where nothing of it was saved yet: a setting that ended it in the first step may be mended.
    """
    saved = any((folder / name).exists() for name in (LAST, UNET_WEIGHTS))
    if saved and (differing := differences(before, now)):
        raise UsageError(f"{folder} holds another fit: {the_first(differing)}; ask for the same again, or give another folder")
