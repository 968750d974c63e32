"""What ``oodkit score`` does once the command line is understood: rows as they come, then what they add up to."""

import sys
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path

import typer

from oodkit.cli.inputs import Running
from oodkit.cli.loading import Loading, load_told
from oodkit.cli.progress import progress_bar
from oodkit.cli.rows import RowWriter
from oodkit.cli.score import Status
from oodkit.detector import Detector
from oodkit.errors import ImageSetError, UsageError
from oodkit.forward import resolve_dtype
from oodkit.images.decode import image_extensions
from oodkit.images.stream import STDIN, ImageStream, open_stream
from oodkit.streaming import Row, score_stream
from oodkit.wording import counted, percent, printable

GATE_FAILED = 4
READER_GONE = 141  # what a shell reports of a program that SIGPIPE ended, as it does of any other before head
SHOWN_EVERY = 100  # images; to draw the bar for each takes longer than a small network does


@dataclass
class Tally:
    """How many images there are of each status, and the first one that could not be read."""

    counts: Counter[Status] = field(default_factory=Counter)
    unreadable: Row | None = None

    def add(self, row: Row) -> Status:
        """Count a row; its status."""
        status = Status.unreadable if row.accepted is None else Status.in_ if row.accepted else Status.out
        self.counts[status] += 1
        if status == Status.unreadable and self.unreadable is None:
            self.unreadable = row
        return status

    @property
    def images(self) -> int:
        return self.counts.total()

    @property
    def read(self) -> int:
        return self.images - self.counts[Status.unreadable]

    @property
    def out_rate(self) -> float:
        """The share of the images that could be read; 0 where none could."""
        return self.counts[Status.out] / max(1, self.read)

    def __str__(self) -> str:
        share = f" ({percent(self.out_rate)} of what could be read)" if self.read else ""
        told = {Status.in_: "", Status.out: share, Status.unreadable: ""}
        counts = ", ".join(f"{self.counts[status]} {status}{after}" for status, after in told.items())
        return f"{counted(self.images, 'image', 'images')}: {counts}"


def require_stdout() -> None:
    """Raise UsageError where the program was started without one: what ``main`` puts in its place would drop every row."""
    if sys.__stdout__ is None:
        raise UsageError("rows go to stdout, and there is none here; give --output FILE")


def require_no_input(output: Path, named: Sequence[str | Path | None]) -> None:
    """Raise UsageError where the rows would take the place of what the command line names, or of an image in a folder of it."""
    for target in (output, output.with_name(f"{output.name}.partial")):
        for path in (Path(name) for name in named if name is not None):
            is_image = target.exists() and target.suffix.lower() in image_extensions()
            if is_image and path.is_dir() and target.resolve().is_relative_to(path.resolve()):
                raise UsageError(f"--output {output} would take the place of an image in {path}; give the name of another file")
            if target.is_file() and path.is_file() and target.samefile(path):
                raise UsageError(f"--output {output} would take the place of {path}, which is read; give the name of another file")


def load_detector(path: Path, model: str | None, loading: Loading) -> Detector:
    """The detector, on the network that it names or, where a name is given, on that. Raises UsageError for options without one."""
    if model is None:
        if flags := loading.flags():
            raise UsageError(f"{flags} says how a network is loaded: give --model NAME too, or leave it out")
        return Detector.load(path)
    return Detector.load(path, model=load_told(model, loading))


def open_sources(specs: Sequence[str], *, null: bool) -> ImageStream:
    """The images that a command line names; paths on stdin end with newlines or, with ``null``, with null bytes."""
    stdin = getattr(sys.stdin, "buffer", None)
    if STDIN in specs and not isinstance(stdin, BufferedIOBase):
        raise UsageError("- reads a list of paths on stdin, and there is no stdin here")
    return open_stream(specs, stdin=stdin, separator=b"\0" if null else b"\n")


def write_rows(detector: Detector, stream: ImageStream, writer: RowWriter, wanted: Collection[Status], running: Running) -> Tally:
    """Score, and write the rows that are wanted as they come.

    Exits with code 141, and says nothing, where nobody reads them any more.
    """
    if caution := detector.calibration.caution():
        typer.echo(f"note: {caution}", err=True)
    if (asked := resolve_dtype(running.dtype)) != (calibrated := detector.calibration.dtype):
        remedy = f"use --dtype {calibrated}, or calibrate in {asked} too"
        typer.echo(
            f"note: calibrated in {calibrated}, scores in {asked} are others, and so is the share that is out; {remedy}", err=True
        )
    tally = Tally()
    # rows on a terminal show how far it is themselves, and a bar would run through them
    hidden = running.quiet or (writer.output is None and sys.stdout.isatty())
    scored = score_stream(
        detector, stream, device=running.device, dtype=running.dtype, batch_size=running.batch_size, workers=running.workers
    )
    try:
        with writer, closing(scored), progress_bar("scoring", quiet=hidden) as show:
            for row in scored:
                status = tally.add(row)
                if status in wanted:
                    writer.put(row, status)
                if show and tally.images % SHOWN_EVERY == 0:
                    show(tally.images, None, "")
    except BrokenPipeError:
        raise typer.Exit(READER_GONE) from None
    except KeyboardInterrupt:
        where = f"; the rows so far are in {writer.partial}" if writer.partial else ""
        typer.echo(f"interrupted after {tally}{where}", err=True)
        raise
    return tally


def conclude(tally: Tally, fail_over: float | None, *, quiet: bool) -> None:
    """Say on stderr what the rows add up to.

    Exits with code 4 where more than ``fail_over`` of the images that could be read are out. Raises ImageSetError where there was
    no image, or none could be read.
    """
    if not tally.images:
        raise ImageSetError("no image to score: the list on stdin is empty")
    if tally.unreadable and not tally.read:
        first = f"the first is {printable(tally.unreadable.path)}: {tally.unreadable.reason}"
        raise ImageSetError(f"none could be read of {counted(tally.images, 'image', 'images')}; {first}; check the paths")
    if not quiet:
        typer.echo(tally, err=True)
    if fail_over is not None and tally.out_rate > fail_over:
        rate = f"{tally.counts[Status.out]} of {counted(tally.read, 'image', 'images')} out ({percent(tally.out_rate)})"
        typer.echo(f"gate failed: {rate}, more than --fail-over {fail_over:g} allows", err=True)
        raise typer.Exit(GATE_FAILED)
