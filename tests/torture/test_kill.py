"""The short version of ``nox -s torture -- kill``: each work is killed once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork") or not hasattr(os, "sched_getaffinity"), reason="the works are forked, on Linux")
def test_what_is_killed_ends_as_if_it_had_not_been():
    words = [sys.executable, Path(__file__).with_name("run.py"), "kill", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(": 1 kills in ")[0] for line in lines] == ["extraction", "training", "synthesis"]
    assert all(" folders, 0 of them otherwise than undisturbed; " in line for line in lines)
