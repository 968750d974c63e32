"""How far a training is: a line an epoch, or a bar that fits a terminal of 80 columns."""

import sys
from io import StringIO

import pytest

from oodkit.cli.training_progress import duration, figures, shown_progress
from oodkit.training.loop import Reached, Validated
from oodkit.training.tally import Figures

HALF = Reached(30, 60, 2, 3, 1234.5, Figures(0.25, {"cross-entropy": 0.25}, 0.875), Validated(0.5, 1.0))


def test_what_is_known_is_told():
    assert figures(HALF) == "loss 0.2500, accuracy 87.5 %, on validation images 50.0 %, 1234 images/s"
    assert figures(HALF, short=True) == "loss 0.250, 87.5 %, val 50.0 %, 1234 images/s"
    assert figures(Reached(1, 60, 1, 3, 10.0)) == figures(Reached(1, 60, 1, 3, 10.0), short=True) == "10 images/s"
    unanswered = Reached(1, 60, 1, 3, 10.0, Figures(2.0, {}, None))
    assert figures(unanswered) == "loss 2.0000, 10 images/s"
    diverged = Reached(1, 60, 1, 3, 10.0, Figures(1.7231e16, {}, None))
    assert figures(diverged) == figures(diverged, short=True) == "loss 1.7e+16, 10 images/s"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (3599, "1 h 0 min"), (3 * 3600 + 301, "3 h 5 min")]
)
def test_durations_are_told_in_two_units_at_most(seconds, words):
    assert duration(seconds) == words


def test_without_a_terminal_each_epoch_is_one_line(capsys):
    with shown_progress(quiet=False) as show:
        show(HALF)
        show(Reached(40, 60, 2, 3, 9.0, HALF.figures, HALF.val, epoch_over=True))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("epoch 2 of 3: loss 0.2500, accuracy 87.5 %, on validation images 50.0 %, 9 images/s, ")
    assert line.endswith(" left")


def test_on_a_terminal_it_is_a_bar_that_is_gone_afterwards(monkeypatch):
    terminal = StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with shown_progress(quiet=False) as show:
        show(HALF)
        show(Reached(40, 60, 2, 3, 9.0, HALF.figures, HALF.val))
    assert "val 50.0 %, 9 images/s" in terminal.getvalue()
    assert "epoch 2/3" in terminal.getvalue()
    assert "…" not in terminal.getvalue()


def test_when_nothing_is_to_be_shown_nothing_is():
    with shown_progress(quiet=True) as show:
        assert show is None
