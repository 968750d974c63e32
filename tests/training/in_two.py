"""Two processes that train together without a launcher: each is told in its environment what torchrun would tell it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from torch.distributed import TCPStore

PATIENCE_S = 1200
GRACE_S = 60  # in which one that failed may be followed by the other: a loss that is nan ends both, each with its own words


def in_two(*arguments: str | Path) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each of two processes of Python, the first one's first.

    Where one fails and the other waits for it, or both wait without an end, they are killed: RuntimeError with what they wrote.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # held here as by torchrun: nobody else takes its port
    together = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    alone = {"TORCHELASTIC_USE_AGENT_STORE": "True", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    words = [sys.executable, *map(str, arguments)]
    with ExitStack() as opened:
        written = [[opened.enter_context(TemporaryFile("w+", encoding="utf-8")) for _ in range(2)] for _ in range(2)]
        begun = []
        for rank, (out, err) in enumerate(written):
            environment = {**os.environ, **together, **alone, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            begun.append(subprocess.Popen(words, env=environment, stdout=out, stderr=err))
            opened.callback(begun[-1].kill)
        both_ended = _both_end(begun)
        told = [(one.wait(), *map(_all_of, files)) for one, files in zip(begun, written, strict=True)]
    if not both_ended:
        raise RuntimeError(f"two processes did not end and were killed: {told}")
    return told


def _both_end(processes: Sequence[subprocess.Popen[bytes]]) -> bool:
    """Wait for both, and kill them where that takes too long."""
    seconds = PATIENCE_S
    while waited_for := [one for one in processes if one.poll() is None]:
        if seconds == 0:
            for one in waited_for:
                one.kill()
            return False
        with suppress(subprocess.TimeoutExpired):
            waited_for[0].wait(1)
        seconds = min(seconds - 1, GRACE_S) if any(one.returncode for one in processes) else seconds - 1
    return True


def _all_of(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
