"""SIGINT and SIGTERM while a step is at work: the step is ended first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """Of what SIGTERM ended, and not SIGINT."""


def exit_code(stop: KeyboardInterrupt) -> int:
    """What a shell expects of a program that a signal ended: 143 after SIGTERM, 130 after SIGINT."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


class Interruption:
    """While open, the first of these signals is noted, which makes this true, and a second raises ``error`` at once.

    Weights and statistics that change in one step belong together: a training can be left only between two steps. Signals reach a
    program's main thread alone; in others this notes nothing.
    """

    def __init__(self) -> None:
        self._noted: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __bool__(self) -> bool:
        return self._noted is not None

    @property
    def error(self) -> type[KeyboardInterrupt]:
        """What to raise: Terminated where the signal that was noted is SIGTERM, KeyboardInterrupt otherwise."""
        return Terminated if self._noted == signal.SIGTERM else KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {one: signal.signal(one, self._note) for one in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for one, handler in self._before.items():
            signal.signal(one, signal.SIG_DFL if handler is None else handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self:
            raise self.error
        self._noted = number


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """While open, SIGTERM raises Terminated at once, as Ctrl-C raises KeyboardInterrupt: for what can be left at any moment."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def leave_signals_to_parent(_worker: int) -> None:
    """For ``worker_init_fn`` of a DataLoader. A terminal and ``timeout`` signal all processes of a program, and a worker that dies
    of it would end the parent in the middle of a step; without a parent, or when it is done, workers end by themselves.
    """
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
