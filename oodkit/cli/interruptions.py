"""What an interrupted command says: that what is done is kept, and how to go on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
