"""How far a synthesis is, on stderr: a bar on a terminal, else a line a tenth, where that takes a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import typer

from oodkit.cli.progress import progress_bar
from oodkit.cli.training_progress import duration
from oodkit.extraction import Progress

PARTS = 10
APART = 2.0  # seconds between two lines at least: short jobs are told by their result


@contextmanager
def shown_images(*, quiet: bool) -> Iterator[Progress | None]:
    """What shows how many images are done of how many; None where nothing should be shown."""
    with progress_bar("making images", quiet=quiet) as bar:
        yield bar if bar is not None or quiet else _lines()


def _lines() -> Progress:
    seen: list[tuple[float, int, int]] = []  # when, of how many images, in which tenth: the first call, and the last that was told

    def show(done: int, total: int, _what: str) -> None:
        now, part = monotonic(), done * PARTS // total if total else 0
        if not seen:
            seen[:] = [(now, done, part)] * 2
        (start, before, _), (last, _, told) = seen
        if not total or part == told or done == total or now - last < APART:
            return
        seen[1] = now, done, part
        rate = (done - before) / (now - start)
        typer.echo(f"{done} of {total} images, {rate:.1f} images/s, {duration((total - done) / rate)} left", err=True)

    return show
