"""Kill -9 at random moments, and the same command again: ``run.py kill [KILLS] [SEED] [WORK …]``.

Each work is killed at moments drawn evenly from the time that it takes undisturbed, in folders that are killed into once to three
times and then let be, until it was killed so often. Told, and a failure, is each folder that differs from the undisturbed one.
"""

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from .works import CACHE, PLACE, RUN, WORKS, begin, contents, differing, end, prepare, without


def killed(work: str, folder: Path, after: float) -> bool:
    """Whether the work was killed so many seconds after its beginning; else it ended before."""
    while signal.sigtimedwait({signal.SIGCHLD}, 0) is not None:
        pass
    child = begin(work, folder)
    if signal.sigtimedwait({signal.SIGCHLD}, after) is None:
        os.kill(child, signal.SIGKILL)
    return end(child, folder)


def tortured(work: str, kills: int, rng: random.Random, place: Path) -> int:
    """How many folders came out otherwise than the undisturbed one."""
    end(begin(work, place / "warm"), place / "warm")
    began = time.monotonic()
    end(begin(work, place / "whole"), place / "whole")
    took, expected = time.monotonic() - began, contents(place / "whole" / RUN, place / "whole" / CACHE)
    if wrong := differing(contents(place / "warm" / RUN, place / "warm" / CACHE), expected):
        sys.exit(f"{work}: two undisturbed runs differ in {', '.join(wrong)}")
    done = folders = failed = 0
    while done < kills:
        folder, folders = place / f"{folders}", folders + 1
        for _ in range(rng.choice((1, 1, 2, 3))):
            if done == kills or not killed(work, folder, rng.uniform(0, took)):
                break
            done += 1
        end(begin(work, folder), folder)
        if wrong := differing(contents(folder / RUN, folder / CACHE), expected):
            failed += 1
            print(f"FAILED {work}, folder {folders}: {', '.join(wrong[:5])}", flush=True)
        without(folder)
    print(
        f"{work}: {done} kills in {folders} folders, {failed} of them otherwise than undisturbed; "
        f"{len(expected)} files, {took:.1f} s undisturbed",
        flush=True,
    )
    return failed


def main(kills: str = "50", seed: str = "0", *works: str) -> int:
    """How many folders came out otherwise."""
    prepare()
    failed = 0
    for work in works or WORKS:
        with tempfile.TemporaryDirectory(dir=PLACE) as place:
            failed += tortured(work, int(kills), random.Random(f"{seed} {work}"), Path(place))
    return failed
