"""What each stage of ``oodkit diagnose`` takes on JPEG files: decode, transform, transfer, forward, write, score, report.

Run by ``nox -s bench``. First without worker processes, where each second belongs to one stage; then with them, where decoding and
transforms overlap with the network, and what is left of them is the time that the network waits for images.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import timm
import torch
from diagnose import SETS, make_jpegs
from safetensors.torch import save_file
from timing import Cost, cost

from oodkit import cli, extraction, forward, reading
from oodkit.cli import diagnosing, each_model
from oodkit.images import files

IMAGES, REST = "waiting for images", "the rest"
STAGES = ("decode", "transform", "stack", IMAGES, "transfer", "forward", "write", "score", "report", REST)


class Clock:
    """Seconds of wall clock and of this process's processor time by stage; a stage within another is not the other's."""

    def __init__(self) -> None:
        self.spent = {stage: [0.0, 0.0] for stage in STAGES}
        self._open, self._since = [REST], self._now()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def of(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **options)

        return timed

    def each(self, name: str, function: Callable[..., Iterable[Any]]) -> Callable[..., Iterator[Any]]:
        """The same of what gives one thing after the other, without what is done with each."""

        def timed(*arguments: Any, **options: Any) -> Iterator[Any]:
            things = iter(function(*arguments, **options))
            while True:
                with self.stage(name):
                    thing = next(things, self)
                if thing is self:
                    return
                yield thing

        return timed

    def _charge(self) -> None:
        if torch.cuda.is_available():  # what the device still has to do is the open stage's
            torch.cuda.synchronize()
        now = self._now()
        for i in range(2):
            self.spent[self._open[-1]][i] += now[i] - self._since[i]
        self._since = now

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


@contextmanager
def clocked(*, alone: bool) -> Iterator[Clock]:
    """While open, the stages of what runs are timed. alone: there are no workers, and decoding is this process's.

    The transfer is what the runner does beside the network: to the device, channels last, and the results back.
    """
    clock, runner = Clock(), forward.Runner
    wrapped: list[tuple[object, str, Any]] = [
        (extraction, "read_batches", clock.each("stack" if alone else IMAGES, extraction.read_batches)),
        (runner, "_forward", clock.of("transfer", runner._forward)),
        (runner, "_columns", clock.of("forward", runner._columns)),
        (extraction, "write_shard", clock.of("write", extraction.write_shard)),
        (extraction, "write_manifest", clock.of("write", extraction.write_manifest)),
        (each_model, "diagnose", clock.of("score", each_model.diagnose)),
        (diagnosing, "make_document", clock.of("report", diagnosing.make_document)),
        (cli.diagnosing, "show", clock.of("report", diagnosing.show)),
    ]
    if alone:
        wrapped.append((files, "decode", clock.of("decode", files.decode)))
        wrapped.append((reading.Reader, "_guarded", clock.of("transform", reading.Reader._guarded)))
    patches = [patch.object(*one) for one in wrapped]
    for one in patches:
        one.start()
    try:
        yield clock
        clock._charge()
    finally:
        for one in patches:
            one.stop()


def run_command(words: Sequence[str]) -> None:
    with patch.object(sys, "argv", ["oodkit", *words]):
        try:
            cli.main()
        except SystemExit as end:
            if end.code:
                raise


def show(clock: Clock, whole: Cost, images: int) -> None:
    wall, processor = (sum(spent[i] for spent in clock.spent.values()) for i in range(2))
    for stage, (of_wall, of_processor) in clock.spent.items():
        if of_wall:
            print(f"  {stage:<20} {of_wall:7.2f} s wall {of_wall / wall:6.1%}  {of_processor:7.2f} s processor "
                  f"{of_processor / processor:6.1%}  {of_processor / images * 1e3:7.2f} ms an image")  # fmt: skip
    workers = whole.cpu - processor
    print(
        f"  {'whole':<20} {wall:7.2f} s wall {'':6}  {processor:7.2f} s processor, and {max(0.0, workers):.2f} s in workers",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--arch", nargs="+", default=["test_resnet", "resnet50"])
    parser.add_argument("--scale", type=float, default=0.25, help="factor on the number of images, 1,024")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--batch-size", default="8", help="small, since a set of one batch is read without workers")
    arguments = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        counts = {role: round(count * arguments.scale) for role, count in SETS.items()}
        for seed, (role, count) in enumerate(counts.items()):
            make_jpegs(folder / role, count, seed)
        given = ["--id", f"{folder}/id", "--fit", f"{folder}/fit", "--near", f"near={folder}/near", "--far", f"far={folder}/far"]
        given += ["--input-size", str(arguments.size), "--batch-size", arguments.batch_size]
        given += ["--quiet", "--thumbnails", "0", "--report", f"{folder}/report.html"]
        for arch in arguments.arch:
            torch.manual_seed(0)
            weights = folder / f"{arch}.safetensors"
            save_file(timm.create_model(arch).state_dict(), weights)
            words = ["diagnose", str(weights), "--arch", arch, *given]
            run_command(
                [*words, "--limit", "32", "--workers", "0", "--cache", f"{folder}/warm", "-o", f"{folder}/warm-{arch}"]
            )  # the imports
            for workers in arguments.workers:
                print(f"{arch} at {arguments.size} px: {sum(counts.values())} JPEG files, workers {workers}, "
                      f"{torch.get_num_threads()} threads, torch {torch.__version__}")  # fmt: skip
                own = ["--workers", str(workers), "--cache", f"{folder}/cache-{workers}", "-o", f"{folder}/{arch}-{workers}"]
                with clocked(alone=workers == 0) as clock:
                    whole = cost(lambda own=own, words=words: run_command([*words, *own]))
                show(clock, whole, sum(counts.values()))


if __name__ == "__main__":
    main()
