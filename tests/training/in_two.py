"""Two processes that train together without a launcher: each is told in its environment what torchrun would tell it."""

import os
import socket
import subprocess
import sys
from pathlib import Path


def in_two(*arguments: str | Path) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each of two processes of Python, the first one's first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    alone = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    begun = [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env={**os.environ, **together, **alone, "RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    told = [process.communicate() for process in begun]
    return [(process.returncode, out, err) for process, (out, err) in zip(begun, told, strict=True)]
