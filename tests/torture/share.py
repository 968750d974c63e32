"""Two processes on one cache at once: ``run.py share [RUNS] [SEED]``.

The second begins a random moment after the first, with the same image sets. Told, and a failure, is each run after which
the results or the cache differ from those of a process by itself.
"""

import random
import tempfile
import time
from pathlib import Path

from .works import CACHE, PLACE, RUN, begin, contents, differing, end, prepare, without

WORK = "extraction"


def main(runs: str = "20", seed: str = "0") -> int:
    """How many runs went wrong."""
    prepare()
    rng, failed = random.Random(f"{seed} share"), 0
    with tempfile.TemporaryDirectory(dir=PLACE) as name:
        place = Path(name)
        end(begin(WORK, place / "warm"), place / "warm")
        began = time.monotonic()
        end(begin(WORK, place / "alone"), place / "alone")
        took, expected = time.monotonic() - began, contents(place / "alone" / RUN, place / "alone" / CACHE)
        for number in range(int(runs)):
            shared, folders = place / "shared" / CACHE, [place / "one", place / "other"]
            children = [begin(WORK, folders[0], shared)]
            time.sleep(rng.choice((0, 0, rng.uniform(0, took))))
            children.append(begin(WORK, folders[1], shared))
            for child, folder in zip(children, folders, strict=True):
                end(child, folder)
            wrong = [one for folder in folders for one in differing(contents(folder / RUN, shared), expected)]
            left = [path.name for path in shared.rglob(".*") if path.is_file()]
            if wrong or left:
                failed += 1
                print(f"FAILED run {number}: {', '.join([*wrong, *left][:5])}", flush=True)
            for folder in (*folders, shared):
                without(folder)
    print(f"two processes on one cache: {runs} times, {failed} of them otherwise than one process by itself")
    return failed
