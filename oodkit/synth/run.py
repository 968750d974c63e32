"""A synthesis, from a generator to a folder of labelled images."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from oodkit.classifier import Classifier
from oodkit.errors import OodkitError, UsageError
from oodkit.extraction import Progress
from oodkit.failures import is_out_of_memory
from oodkit.images import open_images
from oodkit.images.base import ImageSet
from oodkit.images.folder import open_folder
from oodkit.images.synthesis import KIND
from oodkit.processes import rank
from oodkit.run_folder import LOCK, Document, begun_document
from oodkit.synth import make_generator
from oodkit.synth.base import Generator, ImageClass
from oodkit.synth.finishing import finish, require_readable, require_some
from oodkit.synth.folder import SCHEMA, alone_in, is_finished, is_more, read_run, require_same, write_run
from oodkit.synth.journal import JOURNAL, Journal, Ledger
from oodkit.synth.making import make
from oodkit.synth.planning import Plan, plan_synthesis
from oodkit.synth.storing import SaveFormat

LIBRARIES = ("oodkit", "torch", "diffusers", "pillow")


def synthesize(  # noqa: PLR0913 (one argument an option)
    generator: Generator | str,
    output: str | Path,
    *,
    classes: Sequence[ImageClass] | None = None,
    per_class: int | None = None,
    count: int | None = None,
    seed: int = 0,
    label_with: Classifier | None = None,
    min_confidence: float = 0.0,
    keep_agreeing: bool = False,
    batch_size: int | Literal["auto"] = "auto",
    size: int | None = None,
    save_format: SaveFormat = "png",
    quality: int = 95,  # JPEG_QUALITY; the page of Python names shows what stands here
    device: str = "auto",
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    **arguments: Any,
) -> ImageSet:
    """Make synthetic images by class into a folder, and open it as an image set.

    generator: what ``make_generator`` gives, or a spec, with its ``arguments``. output: the folder. classes: by default all that
    the generator makes. per_class: images of each, by default 100, or all that were made elsewhere. count: of a generator without
    classes, images in all, by default ``per_class`` times the classes of ``label_with``; there ``per_class``, where it is said, is
    how many a class are kept. seed: each image has one of its own, by this one, its class and its number. label_with: gives the
    images of a generator without classes their labels, and with keep_agreeing those of any other are dropped that it takes for
    another class. min_confidence: in [0, 1], of its top class; images below it are dropped. batch_size: images made at once;
    "auto" = as the generator has it, halved where the memory does not suffice. size: the side to resize to, in pixels,
    antialiased. quality: of jpeg, 1 to 100. progress: called with the images done, those to be made, and "". say: called with a
    line where something is to be told meanwhile.

    The folder gets ``<class>/<seed>.png``, manifest.jsonl with a line an image, dropped.jsonl with one for each that is not kept,
    and run.json with all settings and the counts. The same call goes on with a synthesis that was stopped, at whatever moment, and
    ends with the same files as if it had not been; with more images a class it adds to what is there. Several processes, as
    torchrun starts them, or each by itself with RANK and WORLD_SIZE, share the work without talking to each other: the last to end
    finishes the folder, and the others open what is there by then.

    Raises UsageError for what does not go together, and where the folder holds another synthesis or other files; GeneratorError
    where the generator fails or gives no images of its size; OodkitError where the disk is full, the memory does not suffice, or
    no image was kept.
    """
    if isinstance(generator, str):
        generator = make_generator(generator, device=device, **arguments)
    elif arguments:
        raise UsageError(f"{', '.join(arguments)}: no arguments of synthesize, and the generator is made already")
    plan = plan_synthesis(
        generator,
        classes=classes,
        per_class=per_class,
        count=count,
        seed=seed,
        label_with=label_with,
        min_confidence=min_confidence,
        keep_agreeing=keep_agreeing,
        batch_size=batch_size,
        size=size,
        save_format=save_format,
        quality=quality,
        device=device,
    )
    document = carry_out(plan, Path(output), progress=progress, say=say)
    if not is_finished(document):
        return open_folder(Path(output), str(output))  # in which there may be nothing yet
    require_some(Path(output), document)
    return open_images(output)


def carry_out(plan: Plan, folder: Path, *, progress: Progress | None = None, say: Callable[[str], None] | None = None) -> Document:
    """``synthesize`` for a planned synthesis: gives the run.json, "unfinished" where other processes have yet to do their part."""
    before, say = read_run(folder), say or (lambda _: None)
    if before is not None:
        require_same(folder, before["asked"], plan.asked)
    mending = before is not None and is_finished(before) and not is_more(before["asked"], plan.asked)
    if before is not None and mending and _is_still_whole(plan, folder, say):
        return before
    with alone_in(folder, rank()):
        began, document = time.monotonic(), _document(plan, before)
        if before is None or any(before[key] != document[key] for key in ("asked", "batch_size")):
            write_run(folder, document)
        ledger = _ledger(plan, folder, mending=mending)
        with Journal(folder, rank()) as journal:
            made = _made(plan, folder, ledger, document["batch_size"], journal, progress, say)
        seconds = time.monotonic() - began
        speed = {"seconds": round(seconds, 3), "images_per_second": round(made / seconds, 3) if made else None}
        return _finished(plan, folder, document | speed, mending=mending)


def _made(
    plan: Plan,
    folder: Path,
    ledger: Ledger,
    batch_size: int,
    journal: Journal,
    progress: Progress | None,
    say: Callable[[str], None],
) -> int:
    try:
        return make(plan, folder, ledger.done, batch_size, journal, progress, say)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        reason = "the memory does not suffice to store or label what is made"
        raise OodkitError(f"{reason}; give a smaller --size or --batch-size, and the same command goes on") from error


def _is_still_whole(plan: Plan, folder: Path, say: Callable[[str], None]) -> bool:
    """Whether a finished folder has all that it had; says so, or what is to be mended."""
    ledger = _ledger(plan, folder, mending=True)
    lost = int((~ledger.done).sum())
    if ledger.is_whole:
        _remove_journal(folder)
        say(f"{folder} is finished: nothing is made again; another seed or folder makes anew")
    elif lost:
        say(f"{folder} was finished, and {lost} of its {len(ledger.done)} images are missing or damaged: they are made again")
    else:
        say(f"{folder} was finished, and its manifests are damaged: they are written again")
    return ledger.is_whole


def _finished(plan: Plan, folder: Path, document: Document, *, mending: bool) -> Document:
    """The end, where every process has done its part; two that come to theirs at once do this one after the other."""
    from filelock import FileLock

    with FileLock(folder / LOCK):
        now, ledger = read_run(folder), _ledger(plan, folder, mending=mending)
        if now is not None and is_finished(now) and now["asked"] == plan.asked and (ledger.is_whole or not mending):
            _remove_journal(folder)
            return now
        if not ledger.done.all():
            return document
        require_readable(plan, folder, ledger)
        document = finish(plan, folder, ledger, document)
        _remove_journal(folder)
        return document


def _ledger(plan: Plan, folder: Path, *, mending: bool) -> Ledger:
    return Ledger(folder, plan.work, [one.folder for one in plan.labels], quota_stands=mending)


def _remove_journal(folder: Path) -> None:
    shutil.rmtree(folder / JOURNAL, ignore_errors=True)


def _document(plan: Plan, before: Document | None) -> Document:
    from importlib.metadata import version

    generator, notes = plan.generator, list(plan.notes)
    batch_size = plan.batch_size or (generator.batch_size if before is None else before["batch_size"])
    if before is not None and before["batch_size"] != batch_size:
        tells = "in which images are others" if generator.seed_scope == "batch" else "which can tell in an image's last bits"
        notes.append(f"made in batches of {before['batch_size']} and of {batch_size}, {tells}")
    about = ("spec", "title", "licence", "size", "conditional", "seed_scope")
    return {
        **begun_document(KIND, SCHEMA, plan.asked, before),
        "generator": {**{key: getattr(generator, key) for key in about}, "facts": plan.asked["facts"]},
        "classes": [asdict(one) for one in plan.labels],
        "batch_size": batch_size,
        "counts": None,
        "seconds": None,
        "images_per_second": None,
        "versions": {name: version(name) for name in LIBRARIES},
        "notes": notes,
    }
