"""A synthesis killed when it touches a file, and made again: ``killed_often.py OUT EVERY``.

At the first touch and at every EVERY-th after it, each in a folder of its own, and again and again in one. Prints the moments at
which the folder came out another than that of a synthesis which was never disturbed. Processes are forked, and kill themselves with
SIGKILL when so many files of theirs have been opened, renamed, made or removed.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from oodkit.synth.run import carry_out, plan_synthesis

if __package__:
    from .stand_in import Looks, StandIn, labelling
else:
    from stand_in import Looks, StandIn, labelling

TOUCHES = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir")


def conditional(folder: Path) -> None:
    carry_out(plan_synthesis(StandIn(), per_class=2, batch_size=4), folder)


def with_quota(folder: Path) -> None:
    with labelling():
        plan = plan_synthesis(
            StandIn(conditional=False), count=9, per_class=2, min_confidence=0.2, batch_size=4, label_with=Looks()
        )
    carry_out(plan, folder)


def killed(make: Callable[[Path], None], folder: Path, moment: int) -> bool:
    """Whether a process that makes the folder came to that many touches of it, at the last of which it was killed."""
    child = os.fork()
    if not child:
        touched = 0

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal touched
            if event in TOUCHES and str(folder) in str(arguments[0]):
                touched += 1
                if touched == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            make(folder)
        except BaseException as error:  # noqa: BLE001 (told, and the process is over)
            print(type(error).__name__, error, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit("a process failed")
    return os.WIFSIGNALED(status)


def contents(folder: Path) -> dict[str, bytes]:
    """All files but run.json, which has times, and the lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in {"run.json", ".lock"})
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def main(out: Path, every: int) -> None:
    for make in (conditional, with_quota):
        whole = out / make.__name__
        killed(make, whole, -1)
        expected, moment, different = contents(whole), 1, []
        while killed(make, folder := out / f"{make.__name__}-{moment}", moment):
            killed(make, folder, -1)
            if contents(folder) != expected:
                different.append(moment)
            moment += every
        again = out / f"{make.__name__}-again"
        kills = next(number for number in range(99) if not killed(make, again, 10 * (number + 1)))
        if contents(again) != expected:
            different.append(-1)
        print(make.__name__, f"files={len(expected)} moments={moment // every} kills={kills} different={different}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
