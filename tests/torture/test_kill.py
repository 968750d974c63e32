"""The short version of ``nox -s torture -- kill``: each work is killed once, the extraction alone among the fast tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork") or not hasattr(os, "sched_getaffinity"), reason="the works are forked, on Linux")
@pytest.mark.parametrize(
    "work", ["extraction", *(pytest.param(work, marks=pytest.mark.slow) for work in ("training", "synthesis"))]
)
def test_what_is_killed_ends_as_if_it_had_not_been(work):
    words = [sys.executable, Path(__file__).with_name("run.py"), "kill", "1", "0", work]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(rf"{work}: 1 kills in \d+ folders, 0 of them otherwise than undisturbed; ", done.stdout), done.stdout
