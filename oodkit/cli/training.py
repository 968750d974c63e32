"""What ``oodkit train`` and ``oodkit finetune`` do once the command line is understood."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from oodkit.cli.interruptions import kept_in
from oodkit.cli.loading import Loading, load_told
from oodkit.cli.runs import require_folder, taken_up
from oodkit.cli.several import told_once
from oodkit.cli.training_options import given_settings
from oodkit.cli.training_progress import before_line, shown_progress
from oodkit.cli.training_result import told
from oodkit.images import open_images
from oodkit.images.base import ImageSet
from oodkit.processes import rank
from oodkit.run_folder import Document
from oodkit.training.folder import LOG, is_finished, read_run, require_same
from oodkit.training.networks import Stem
from oodkit.training.plan import Alpha, Plan, Sets, Shape, plan
from oodkit.training.run import accelerator_for, carry_out
from oodkit.wording import printable

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class Job:
    """What is to be trained, in the words of a command line; None = not said. settings: fields of ``Settings``."""

    recipe: str
    data: str
    val: str | None
    synthetic: str | None
    alpha: str | None
    outliers: str | None
    mixing: str | None
    limit: int | None
    stem: Stem
    loading: Loading
    device: str
    workers: int | None
    settings: Mapping[str, Any]

    def sets(self) -> Sets:
        """The image sets, opened."""

        def opened(spec: str | None) -> ImageSet | None:
            return None if spec is None else open_images(spec, limit=self.limit)

        data = open_images(self.data, limit=self.limit)
        return Sets(data, opened(self.val), opened(self.synthetic), opened(self.outliers), opened(self.mixing))

    def share(self) -> Alpha:
        """Of real images, as ``--alpha`` has it. Raises typer.BadParameter for a text that is neither a number nor naive."""
        if self.alpha is None or self.alpha == "naive":
            return "naive" if self.alpha else None
        try:
            return float(self.alpha)
        except ValueError:
            raise typer.BadParameter(f"{self.alpha!r} is neither a number nor naive", param_hint="--alpha") from None

    def shape(self) -> Shape:
        own = self.loading
        return Shape(own.input_size, own.mean, own.std, self.stem, own.model_args or None)

    def given(self) -> dict[str, Any]:
        """The settings that were said, as ``Settings`` has them. Raises UsageError for a number that is not finite."""
        return given_settings(self.settings)


def carry_out_job(command: str, name: str, job: Job, output: Path | None, *, tensorboard: bool, as_json: bool, quiet: bool) -> None:
    """Train, or go on with the run that was asked for before, and print what came of it."""
    quiet = quiet or rank() > 0
    share = job.share()
    with told_once():
        require_folder(output)
        start = load_told(name, job.loading) if command == "finetune" else name
        planned = plan(start, job.sets(), job.recipe, share, Shape() if command == "finetune" else job.shape(), job.given())
        accelerator = accelerator_for(planned, job.device)
        folder, before = taken_up(command, output, planned.asked, read_run, require_same)
    done = before is not None and is_finished(folder, before)
    if not quiet:
        for line in _before_lines(folder, before, planned, done=done, tensorboard=tensorboard):
            typer.echo(printable(line), err=True)
    if not done:
        _carry_out(planned, folder, job, accelerator, tensorboard=tensorboard, quiet=quiet)
    document = read_run(folder)
    assert document is not None
    if rank() == 0:
        typer.echo(json.dumps(document, indent=1) if as_json else folder if quiet else told(folder, document, name))


def _carry_out(planned: Plan, folder: Path, job: Job, accelerator: "Accelerator", *, tensorboard: bool, quiet: bool) -> None:
    say = None if quiet else lambda line: typer.echo(printable(line), err=True)
    with kept_in(folder), shown_progress(quiet=quiet) as progress:
        carry_out(
            planned,
            folder,
            workers=job.workers,
            tensorboard=tensorboard,
            progress=progress,
            say=say,
            accelerator=accelerator,
        )


def _before_lines(folder: Path, before: Document | None, planned: Plan, *, done: bool, tensorboard: bool) -> Iterator[str]:
    yield before_line(folder, before, done=done)
    if done and tensorboard:
        yield f"note: nothing was written for TensorBoard; the log is {folder / LOG}"
    yield from (f"note: {note}" for note in planned.notes)
