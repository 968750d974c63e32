"""Which of several processes this is, as torchrun and ``accelerate launch`` tell each."""

import os


def world_size() -> int:
    """The processes that work together; 1 where this is the only one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is; 0 prints and writes."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """Which of those on this machine it is."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def default_workers() -> int:
    """Worker processes that decode images: one a core, at most 8; the processes on one machine share its cores."""
    together = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(8, usable_cores() // together))


def usable_cores() -> int:
    """The cores that this process may run on; in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
