"""What ``oodkit synth`` says before the first image and after the last."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from oodkit.cli.training_progress import duration
from oodkit.errors import UsageError
from oodkit.run_folder import SYNTHESIS, Document, in_words
from oodkit.synth.base import Generator
from oodkit.synth.fit.folder import read_fit
from oodkit.synth.folder import is_finished, is_more
from oodkit.synth.planning import Plan
from oodkit.wording import counted, percent, printable

FEW = 5  # classes that are named
SHOWN = 80  # characters of a fact of the generator; a hash has 64
REASONS = {"disagreed": "of another class, the classifier says", "unsure": "too unsure", "unreadable": "that could not be read"}


def generator_lines(generator: Generator) -> Iterator[str]:
    """What makes the images, all that decides them, and the licence."""
    yield f"generator: {', '.join([generator.spec, *_facts(generator.facts)])}"
    yield f"licence: {generator.licence}"


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _facts(value)
        elif value not in (None, "", []):
            yield _fact(name, value)


def before_lines(folder: Path, before: Document | None, planned: Plan) -> Iterator[str]:
    """What is going to be made, and where; of a finished folder nothing, which is looked at first."""
    classes, images = planned.classes, counted(planned.items, "image", "images")
    what = f"{images} of {counted(len(classes), 'class', 'classes')}" if classes else images
    labelled = f", labelled by {planned.labelled_by}" if planned.labelled_by and not classes else ""
    if before is None:
        yield f"making {what}{labelled}, into {folder}"
    elif not is_finished(before):
        yield f"{folder} is unfinished: going on, {what}{labelled} in all"
    elif is_more(before["asked"], planned.asked):
        yield f"{folder} has fewer: adding to it, {what}{labelled} in all"
    yield from (f"note: {note}" for note in planned.notes)


def _fact(name: str, value: Any) -> str:
    text = str(value)
    return f"{name.replace('_', ' ')} {text if len(text) <= SHOWN else text[:SHOWN] + '…'}"


def told(folder: Path, document: Document, said: Sequence[str] = ()) -> str:
    """The lines for the terminal. said: notes that were told before."""
    with in_words(folder / SYNTHESIS):
        return "\n".join(printable(line) for line in _lines(folder, document, said))


def _lines(folder: Path, document: Document, said: Sequence[str]) -> Iterator[str]:
    counts, classes = document["counts"], document["classes"]
    of = f" of {counted(len(classes), 'class', 'classes')}" if classes else ""
    rate = document["images_per_second"]
    speed = "" if rate is None else f", in {duration(document['seconds'])} ({rate:.1f} images/s)"
    yield f"{counted(counts['kept'], 'image', 'images')}{of} by {document['generator']['spec']}{speed}"
    yield from _dropped(counts)
    yield from (f"note: {note}" for note in document["notes"] if note not in said)
    yield f"folder: {folder}"
    if classes and counts["kept"]:
        yield f"train with them: {train_command(folder, document)}"
    elif not classes:
        yield f"give them labels: {shlex.join(['oodkit', 'synth', '--model', f'dir:{folder}', '--label-with', 'MODEL'])}"


def _dropped(counts: Mapping[str, Any]) -> Iterator[str]:
    lost = sum(counts["dropped"].values())
    if not lost:
        return
    reasons = ", ".join(f"{number} {REASONS.get(reason, reason)}" for reason, number in counts["dropped"].items())
    yield f"{lost} of {counts['made']} dropped ({percent(lost / counts['made'])}): {reasons}"
    by_class = {folder: own["dropped"] for folder, own in counts["per_class"].items() if own["dropped"]}
    most = sorted(by_class, key=lambda folder: -by_class[folder])[:FEW]
    if most:
        more = f", and of {counted(len(by_class) - FEW, 'more class', 'more classes')}" if len(by_class) > FEW else ""
        yield f"most of: {', '.join(f'{folder!r}: {by_class[folder]}' for folder in most)}{more}"


def train_command(folder: Path, document: Document) -> str:
    """What to type next, with ARCH and SET where only the user knows; what a generator was fitted to is known."""
    fitted = _fit_of(document["generator"]["spec"])
    words = ["oodkit", "train", "ARCH", "--data", "SET"]
    if fitted is not None:
        asked = fitted["asked"]
        words = [*words[:-1], asked["sets"]["data"]["spec"]]
        words += [] if asked["settings"]["flip"] else ["--no-flip"]
    return shlex.join([*words, "--synthetic", str(folder), "--alpha", "0.8"])


def _fit_of(generator: str) -> Document | None:
    try:
        return read_fit(Path(generator))
    except (UsageError, OSError):
        return None
