"""What an interrupted command says: that what is done is kept, and how to go on."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import typer

from oodkit.processes import rank
from oodkit.training.interruption import exit_code
from oodkit.wording import printable


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """For what is made in a folder: of several processes the first says so, and each exits with the code of the signal.

    A training that saved a checkpoint says itself how far it came.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        if rank() == 0:
            kept = f"interrupted: what is done is kept in {folder}; the same command goes on from there"
            typer.echo(printable(str(stop) or kept), err=True)
        raise typer.Exit(exit_code(stop)) from stop


@contextmanager
def kept_in_cache() -> Iterator[None]:
    """For forward passes."""
    try:
        yield
    except KeyboardInterrupt:
        if rank() == 0:
            typer.echo("interrupted; what is done is kept, and the same command goes on from there", err=True)
        raise


@contextmanager
def interrupts_noted() -> Iterator[Sequence[int]]:
    """While open, each Ctrl-C stands in the list and raises KeyboardInterrupt as ever: an import that swallows it, as numpy's may,
    fails later on what it has left half done, and only the list still tells why.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) != signal.default_int_handler:
        yield noted
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
