"""The short version of what ``nox -s torture`` does for longer: two kills of each work, and two processes on one cache."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def torture(*words):
    """The lines that the script prints, once it has ended well."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("run.py"), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, "fork") or not hasattr(os, "sched_getaffinity"), reason="the works are forked, on Linux")
def test_what_is_killed_ends_as_if_it_had_not_been():
    lines = torture("kill", "2")
    assert [line.partition(": 2 kills in ")[0] for line in lines] == ["extraction", "training", "synthesis"]
    assert all(" folders, 0 of them otherwise than undisturbed; " in line for line in lines)


@pytest.mark.skipif(not hasattr(os, "fork") or not hasattr(os, "sched_getaffinity"), reason="the works are forked, on Linux")
def test_two_processes_on_one_cache_each_end_as_one_by_itself():
    assert torture("share", "1") == ["two processes on one cache: 1 times, 0 of them otherwise than one process by itself"]
