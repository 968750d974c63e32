"""Thousands of damaged and crafted files, read: ``run.py mutate [COUNT] [SEED] [KIND …]``.

Each is refused with one of oodkit's own errors, or is read. Told, and a failure, is what raises anything else, takes half a minute,
asks for 3 GB more than the process has, runs another program, looks up a class for a pickle, or calls another machine. A mutant is
made anew, but for dates in it, from the three words that its failure is told with: seed, kind and number.
"""

import faulthandler
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from ..stored_files import KINDS, Kind, outcome  # noqa: TID252 (tests are no package)
from .files import MORE_KINDS, MoreKind
from .mutations import in_order, mutant
from .works import PLACE

SECONDS, BYTES = 30, 3 * 2**30
FORBIDDEN = {
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pty.spawn"),
    *("pickle.find_class", "socket.connect", "socket.getaddrinfo", "ctypes.dlopen"),
}


class TookTooLong(BaseException):  # what code is ready for an Exception must not swallow
    pass


class Watch:
    """Over what happens while a file is read."""

    def __init__(self) -> None:
        self.on, self.seen = False, list[str]()
        sys.addaudithook(self._saw)
        signal.signal(signal.SIGALRM, self._late)

    def _saw(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if self.on and event in FORBIDDEN:
            self.seen.append(event)
            raise TookTooLong(event)

    def _late(self, *_: object) -> None:
        raise TookTooLong(f"{SECONDS} seconds")

    def of(self, kind: Kind, contents: bytes) -> str:
        """What came of it, in a word; for what must not be, where."""
        self.on, self.seen = True, []
        signal.alarm(SECONDS)
        faulthandler.dump_traceback_later(4 * SECONDS, exit=True)  # of what waits outside Python
        try:
            found = "refused" if outcome(kind, contents) is None else "read"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            found = f"{type(error).__name__} at {_place(error)}: {' '.join(str(error).split())[:150]}"
        finally:
            signal.alarm(0)
            faulthandler.cancel_dump_traceback_later()
            self.on = False
        return f"{self.seen[0]} was tried" if self.seen else found


def _place(error: BaseException) -> str:
    """The last line of oodkit's own that the error went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/oodkit/" in frame.filename]
    last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{'/'.join(Path(last.filename).parts[-2:])}:{last.lineno}"


def mutant_of(kind: Kind, seed: int, number: int) -> bytes:
    """The mutant of these three words."""
    whole = in_order(kind.whole) if kind.path.suffix == ".safetensors" else kind.whole
    return mutant(whole, kind.path.suffix, random.Random(f"{seed} {kind.name} {number}"))


def kind_of(folder: Path, name: str) -> Kind:
    """The kind of this name, made in the folder."""
    torch.manual_seed(0)
    return (MoreKind if name in MORE_KINDS else Kind)(folder, name)


def main(count: str = "10000", seed: str = "0", *names: str) -> int:
    """How many mutants did what none must."""
    asked = [name for name in [*KINDS, *MORE_KINDS] if not names or name in names]
    return tortured(int(count), int(seed), asked)


def tortured(count: int, seed: int, names: list[str]) -> int:
    """The same, of kinds in their order, one after the other."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.simplefilter("ignore")
    watch, failures, found = Watch(), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        kinds = [kind_of(Path(folder), name) for name in names]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + BYTES, resource.RLIM_INFINITY))
        for number in range(count):
            kind = kinds[number % len(kinds)]
            came = watch.of(kind, mutant_of(kind, seed, number))
            found[came if came in ("read", "refused") else "failed"] += 1
            if came not in ("read", "refused"):
                told = came.partition(": ")[0]
                failures[told] += 1
                if failures[told] <= 2:
                    print(f"FAILED mutant {seed} {kind.name} {number}: {came}", flush=True)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    print(f"{count} mutants of {len(kinds)} kinds, seed {seed}: {dict(found)}; peak memory {grown} MB above that of whole files")
    for told, times in failures.most_common():
        print(f"  {times} × {told}")
    return found["failed"]
