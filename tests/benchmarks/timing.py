"""How long a piece of work takes, for the scripts beside this one."""

import os
import time
from collections.abc import Callable
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds of wall clock, and of processor time of this process and its finished workers. Where other programs take turns on
    the machine, only the second can be trusted."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:8.1f} s wall {self.cpu:8.1f} s processor"


def cost(work: Callable[[], object]) -> Cost:
    def now() -> tuple[float, float]:
        used = os.times()
        return time.perf_counter(), time.process_time() + used.children_user + used.children_system

    before = now()
    work()
    after = now()
    return Cost(after[0] - before[0], after[1] - before[1])
