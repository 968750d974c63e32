"""Progress on stderr, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(title: str, *, quiet: bool) -> Iterator[Callable[[int, int | None, str], None] | None]:
    """A bar with the count, the rate and the time left, one for each thing that runs under the title in turn.

    Of how many may be unknown: None; then so is the time. None where stderr is no terminal or nothing should be shown.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(done: int, total: int | None, what: str) -> None:
            if what not in tasks:
                for over in tasks.values():
                    bar.remove_task(over)
                tasks[what] = bar.add_task(f"{title}, {what}" if what else title, total=total, rate="")
            speed = bar.tasks[0].speed
            bar.update(tasks[what], completed=done, rate=f"{speed:.0f} images/s" if speed else "")

        yield show


@contextmanager
def status_line(title: str, *, quiet: bool) -> Iterator[Callable[[str], None] | None]:
    """One line that says what is being done; None where stderr is no terminal or nothing should be shown."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(title) as status:
        yield lambda step: status.update(f"{title}: {step}")
