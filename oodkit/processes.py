"""Which of several processes this is, as torchrun and ``accelerate launch`` tell each."""

import os

from oodkit.errors import UsageError


def world_size() -> int:
    """The processes that work together; 1 where this is the only one."""
    return _said("WORLD_SIZE", 1)


def rank() -> int:
    """Which of them this is; 0 prints and writes."""
    return _said("RANK", 0)


def local_rank() -> int:
    """Which of those on this machine it is."""
    return _said("LOCAL_RANK", 0)


def default_workers() -> int:
    """Worker processes that decode images: one a core, at most 8; the processes on one machine share its cores."""
    together = _said("LOCAL_WORLD_SIZE", 1)
    return max(1, min(8, usable_cores() // max(1, together)))


def usable_cores() -> int:
    """The cores that this process may run on; in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _said(variable: str, otherwise: int) -> int:
    """Raises UsageError where the environment has something else than a number there."""
    said = os.environ.get(variable, str(otherwise))
    if not said.isascii() or not said.isdigit():
        raise UsageError(f"the environment variable {variable} is {said!r}, expected a number as torchrun sets it; unset it")
    return int(said)
