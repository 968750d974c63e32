"""A command in one of several processes, as torchrun and ``accelerate launch`` start them."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from oodkit.errors import OodkitError, UsageError
from oodkit.processes import rank, world_size

SHARED = ("diagnose", "augdelete", "train", "finetune", "synth")  # their work can be shared
# ablate says itself what to do instead, and env tells of a stray WORLD_SIZE
ALLOWED = (*SHARED, "ablate", "env")


def require_alone(command: str) -> None:
    """Raise UsageError where several processes run a command that is the work of one."""
    if world_size() > 1:
        told = f"oodkit {command} is the work of one process, and this is one of {world_size()}"
        raise UsageError(f"{told}: start it by itself, without torchrun, and with WORLD_SIZE unset")


@contextmanager
def told_once() -> Iterator[None]:
    """What every process finds out by itself the first alone tells."""
    try:
        yield
    except OodkitError as error:
        if rank() > 0:
            raise typer.Exit(error.exit_code) from error
        raise
