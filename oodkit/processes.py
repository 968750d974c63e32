"""Which of several processes this is, as torchrun and ``accelerate launch`` tell each."""

import os


def world_size() -> int:
    """The processes that work together; 1 where this is the only one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is; 0 prints and writes."""
    return int(os.environ.get("RANK", "0"))
