"""The folder of a fit: what was asked for and what came of it, and when it may go on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oodkit.errors import UsageError
from oodkit.run_folder import FINISHED, FIT, Document, Shape, first_file, read_document, write_document
from oodkit.training.folder import LAST, require_same
from oodkit.wording import printable

UNET_CONFIG, UNET_WEIGHTS = "unet/config.json", "unet/diffusion_pytorch_model.safetensors"  # as diffusers names them
SCHEDULER = "scheduler/scheduler_config.json"
SAMPLES = "samples.png"
KIND, SCHEMA = "synthesis-fit", 1
RUN: Shape = {"asked": dict, "classes": list, "network": dict, "images": int, "unreadable": dict}


def read_fit(folder: Path) -> Document | None:
    """The fit.json of the folder; None where nothing is in it.

    Raises UsageError where other files are, such as a synthesis or images, and for a fit.json damaged or of another version.
    """
    document = read_document(folder / FIT, KIND, SCHEMA, RUN, {})
    if document is None and (other := first_file(folder)) is not None:
        beside = f"{printable(str(folder))} holds other files, such as {printable(other)}, and no {FIT}"
        raise UsageError(f"{beside}; give another folder, a new one")
    return document


def write_fit(folder: Path, document: Mapping[str, Any]) -> None:
    """Raises OodkitError where the disk is full or the folder can't be written."""
    write_document(folder / FIT, document)


def is_finished(folder: Path, document: Mapping[str, Any]) -> bool:
    """Whether the fit of this fit.json came to its end, and its network is still there."""
    return document.get("status") == FINISHED and (folder / UNET_WEIGHTS).is_file()


def require_same_fit(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """``training.folder.require_same`` of a fit."""
    return require_same(folder, before, now, "fit", (LAST, UNET_WEIGHTS))
