"""What ``oodkit synth fit`` does once the command line is understood."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from oodkit.cli.interruptions import kept_in
from oodkit.cli.runs import require_folder, taken_up
from oodkit.cli.several import told_once
from oodkit.cli.training_options import given_settings
from oodkit.cli.training_progress import before_line, duration, shown_progress
from oodkit.cli.training_result import unreadable_lines
from oodkit.forward import resolve_device
from oodkit.images import open_images
from oodkit.processes import rank
from oodkit.run_folder import FIT, in_words
from oodkit.synth.fit.folder import SAMPLES, is_finished, read_fit, require_same_fit
from oodkit.synth.fit.run import FitPlan, carry_out_fit, plan_fit
from oodkit.wording import counted, printable


@dataclass(frozen=True)
class FitJob:
    """What is to be fitted, in the words of a command line; None = not said. settings: of the network and its training."""

    data: str
    limit: int | None
    settings: Mapping[str, Any]
    device: str
    workers: int | None
    tensorboard: bool

    def planned(self) -> FitPlan:
        """Raises UsageError for a number that is not finite, and for what can't be fitted."""
        given = given_settings(self.settings)
        return plan_fit(open_images(self.data, limit=self.limit), device=self.device, **given)


def carry_out_fit_job(job: FitJob, output: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Train the generator, or go on with it, and print what came of it."""
    quiet = quiet or rank() > 0
    with told_once():
        require_folder(output)
        resolve_device(job.device)
        planned = job.planned()
        folder, before = taken_up("synth-fit", output, planned.asked, read_fit, require_same_fit)
    done = before is not None and is_finished(folder, before)
    if not quiet:
        for line in (before_line(folder, before, done=done), *(f"note: {note}" for note in planned.notes)):
            typer.echo(printable(line), err=True)
    if not done:
        _fit(job, planned, folder, quiet=quiet)
    document = read_fit(folder)
    assert document is not None
    if rank() == 0:
        typer.echo(json.dumps(document, indent=1) if as_json else folder if quiet else told(folder, document))


def _fit(job: FitJob, planned: FitPlan, folder: Path, *, quiet: bool) -> None:
    say = None if quiet else lambda line: typer.echo(printable(line), err=True)
    with kept_in(folder), shown_progress(quiet=quiet) as progress:
        carry_out_fit(
            planned,
            folder,
            device=job.device,
            workers=job.workers,
            tensorboard=job.tensorboard,
            progress=progress,
            say=say,
        )


def told(folder: Path, document: Mapping[str, Any]) -> str:
    """The lines for the terminal."""
    with in_words(folder / FIT):
        return "\n".join(printable(line) for line in _lines(folder, document))


def _lines(folder: Path, document: Mapping[str, Any]) -> Iterator[str]:
    asked, result = document["asked"], document["result"]
    images, classes = counted(document["images"], "image", "images"), counted(len(document["classes"]), "class", "classes")
    trained = f"trained on {images} of {classes} for {counted(asked['settings']['epochs'], 'epoch', 'epochs')}"
    yield f"a generator of {asked['size']} × {asked['size']} pixels, {trained}, in {duration(result['seconds'])}"
    yield from unreadable_lines(document["unreadable"], document["images"])
    yield f"samples: {folder / SAMPLES}"
    yield f"make images with it: oodkit synth --model {shlex.quote(str(folder))} --per-class 100"
