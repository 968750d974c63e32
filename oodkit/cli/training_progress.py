"""Where a training begins and how far it is, on stderr: a bar on a terminal, else a line an epoch."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import typer

from oodkit.run_folder import FINISHED, Document
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.loop import Reached
from oodkit.wording import counted, percent

LARGE = 1e4  # from which a loss is told by its power of ten
Show = Callable[[Reached], None]


def before_line(folder: Path, before: Document | None, *, done: bool) -> str:
    """What is about to happen in the folder of a training or a fit. before: its document. done: whether nothing is left to do."""
    if done:
        return f"{folder} is finished: nothing is trained again; another --seed or -o DIR trains anew"
    if before is not None and before["status"] == FINISHED:
        return f"{folder} is finished, but its weights are missing: making them again"
    step = Checkpoints(folder).step()
    return f"{folder} is unfinished: going on from step {step}" if step else f"training into {folder}"


@contextmanager
def shown_progress(*, quiet: bool) -> Iterator[Show | None]:
    """What shows each step that is reached; None where nothing should be shown."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


def _lines() -> Show:
    left = _time_left()

    def show(reached: Reached) -> None:
        rest = left(reached)
        if reached.epoch_over:
            typer.echo(f"epoch {reached.epoch} of {reached.epochs}: {figures(reached)}{rest}", err=True)

    return show


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("{task.description}"), BarColumn(bar_width=10), TextColumn("{task.fields[figures]}")
    left = _time_left()
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=None, figures="")

        def show(reached: Reached) -> None:
            told = figures(reached, short=True) + left(reached)
            epoch = f"epoch {reached.epoch}/{reached.epochs}"
            bar.update(task, description=epoch, completed=reached.step, total=reached.total, figures=told)

        yield show


def figures(reached: Reached, *, short: bool = False) -> str:
    """Loss, accuracies and speed, as far as they are known. short: for the line of a bar, in a terminal of 80 columns."""
    own, val = reached.figures, reached.val
    digits, before, on_val = (3, "", "val") if short else (4, "accuracy ", "on validation images")
    told = [] if own is None else [f"loss {_loss(own.loss, digits)}"]
    told += [] if own is None or own.accuracy is None else [f"{before}{percent(own.accuracy)}"]
    told += [] if val is None else [f"{on_val} {percent(val.accuracy)}"]
    return ", ".join([*told, f"{reached.images_per_second:.0f} images/s"])


def _loss(loss: float, digits: int) -> str:
    return f"{loss:.{digits}f}" if loss < LARGE else f"{loss:.1e}"


def _time_left() -> Callable[[Reached], str]:
    """From the pace since the first step that was seen."""
    first: list[tuple[float, int]] = []

    def left(reached: Reached) -> str:
        now = monotonic()
        if not first:
            first.append((now, reached.step))
        (start, step), to_go = first[0], reached.total - reached.step
        if not to_go or reached.step == step:
            return ""
        return f", {duration((now - start) / (reached.step - step) * to_go)} left"

    return left


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 5 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else counted(minutes, "min", "min")
