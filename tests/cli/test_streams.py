"""A program that is started without stdout or stderr, as services and ``>&-`` do it."""

import sys
from pathlib import Path

import pytest

SETS = ("--id", "demo:digits", "--far", "patches=demo:photo-patches", "--scorer", "mls", "--baseline", "none", "--limit", "40")
DIAGNOSE = ("diagnose", "demo:digits-v1", *SETS, "--workers", "0", "--device", "cpu")


@pytest.fixture
def run_without(run, monkeypatch):
    """Run a command without one of the streams; what the program puts in its place is closed."""

    def invoke(stream, *words):
        with monkeypatch.context() as patched:
            for name in (stream, f"__{stream}__"):
                patched.setattr(sys, name, None)
            ran = run(*words)
            getattr(sys, stream).close()
        return ran

    return invoke


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_work_is_done_all_the_same(run_without, stream):
    ran = run_without(stream, *DIAGNOSE, "-o", "here")
    assert ran.code == 0, ran.err
    assert Path("here/result.json").is_file()
    assert ("written: here/result.json" in ran.err, "Verdict" in ran.out) == (stream == "stdout", stream == "stderr")


def test_an_error_has_its_exit_code_where_nobody_can_read_it(run_without):
    assert run_without("stderr", *DIAGNOSE, "--device", "tpu") == (2, "", "")


def test_rows_that_nobody_would_get_are_refused(run_without, detector, photos):
    score = ("score", detector, str(photos), "--workers", "0", "--device", "cpu")
    told = "error: rows go to stdout, and there is none here; give --output FILE\n"
    assert run_without("stdout", *score) == (2, "", told)
    assert run_without("stdout", *score, "-o", "rows.csv").code == 0
    assert Path("rows.csv").is_file()
