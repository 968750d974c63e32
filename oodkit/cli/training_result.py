"""What a training came to, as text."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oodkit.cli.training_progress import duration
from oodkit.demo import FIT
from oodkit.run_folder import TRAINING, in_words
from oodkit.training.folder import BEFORE, BEST, LOG, MODEL
from oodkit.wording import counted, percent, printable

UNREADABLE = 5  # images that are named


def told(folder: Path, document: Mapping[str, Any], name: str) -> str:
    """The lines for the terminal. name: of the architecture or checkpoint, as the user spelled it."""
    with in_words(folder / TRAINING):
        return "\n".join(printable(line) for line in _lines(folder, document, name))


def _lines(folder: Path, document: Mapping[str, Any], name: str) -> Iterator[str]:
    asked, result, images = document["asked"], document["result"], document["images"]
    epochs = asked["settings"]["epochs"]
    yield (
        f"{name}, trained with {asked['recipe']} on {counted(images['data'], 'image', 'images')} of {asked['classes']} classes for "
        f"{counted(epochs, 'epoch', 'epochs')}, in {duration(result['seconds'])}"
    )
    yield from _share(document)
    if result["val_accuracy"] is not None:
        yield from _accuracies(asked, result)
    yield from unreadable_lines(document["unreadable"], sum(images.values()))
    if result["note"]:
        yield f"its logits: {result['note']}"
    if result["scored_by"] != ["mls"]:
        yield f"its paper judges it by: {', '.join(result['scored_by'])}"
    yield f"network: {folder / MODEL}"
    if result["augdelete"] is not None:
        yield f"before AugDelete: {folder / BEFORE}"
    if result["best"] is not None:
        best = result["best"]
        what = "best before AugDelete" if best["before_augdelete"] else "best"
        yield f"{what} on the validation images: {folder / BEST}, of epoch {best['epoch']}, {percent(best['val_accuracy'])}"
    yield f"log: {folder / LOG}"
    yield f"diagnose it: {diagnose_command(folder, asked)}"


def _share(document: Mapping[str, Any]) -> Iterator[str]:
    share = document["asked"]["settings"]["alpha"]
    if document["naive_mixing"]:
        yield f"naive mixing: {percent(share)} of each batch were real images, as if both sets had been poured together"
    elif share < 1:
        yield f"synthetic images (SIO): {percent(share, 0)} of each batch were real images, alpha {share:g}"


def _accuracies(asked: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[str]:
    spec, refitted = asked["sets"]["val"]["spec"], result["augdelete"]
    before = "" if refitted is None else f", {percent(refitted['val_accuracy_before'])} before AugDelete"
    at_start = result.get("val_accuracy_at_start")
    before += "" if at_start is None else f", {percent(at_start)} before the training"
    yield f"accuracy on {spec}: {percent(result['val_accuracy'])}{before}"
    if result.get("caution"):
        yield f"note: {result['caution']}"


def unreadable_lines(unreadable: Mapping[str, str], images: int) -> Iterator[str]:
    """Of the images that were left out, by name with the reason: how many of all, and the first."""
    if unreadable:
        few = [f"{name}: {reason}" for name, reason in list(unreadable.items())[:UNREADABLE]]
        more = "; …" if len(unreadable) > UNREADABLE else ""
        yield f"{len(unreadable)} of {images} images could not be read: {'; '.join(few)}{more}"


def diagnose_command(folder: Path, asked: Mapping[str, Any]) -> str:
    """What to type next, with SET where only the user knows."""
    own = f"oodkit diagnose local-dir:{shlex.quote(str(folder))}"
    sets = asked["sets"]
    if sets["data"]["spec"] == FIT:
        return own
    val = f" --val {shlex.quote(sets['val']['spec'])}" if "val" in sets else ""
    return f"{own} --id SET --near NAME=SET --far NAME=SET --train {shlex.quote(sets['data']['spec'])}{val}"
