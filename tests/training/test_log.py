"""The log: a line at once, cut where the training goes on from, and never half a line in the way."""

import json
import re
import sys
from types import SimpleNamespace

import pytest

from oodkit.errors import OodkitError, TrainingError, UsageError
from oodkit.training.folder import LOG
from oodkit.training.log import Log, read_epochs, read_log


def test_a_line_is_there_as_soon_as_it_is_written(tmp_path):
    log = Log(tmp_path)
    log.resume(0)
    log.write({"step": 50, "loss": 1.5, "lr": 0.1})
    assert (tmp_path / LOG).read_text() == '{"step": 50, "loss": 1.5, "lr": 0.1}\n'
    log.write({"epoch": 1, "step": 60, "parts": {"a": float("nan")}, "val_loss": float("inf")})
    assert read_log(tmp_path)[1] == {"epoch": 1, "step": 60, "parts": {"a": None}, "val_loss": None}


def test_lines_after_the_step_that_is_gone_on_from_are_cut_and_so_is_half_a_line(tmp_path):
    lines = [{"step": step} for step in (10, 20, 30, 40)]
    (tmp_path / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 5, "lo')
    Log(tmp_path).resume(30)
    assert read_log(tmp_path) == lines[:3]
    assert (tmp_path / LOG).read_text().endswith('{"step": 30}\n')


def test_damage_costs_the_lines_that_it_hit(tmp_path):
    """Bytes that are no UTF-8, the zeros that a power failure leaves, and what is nested too deep."""
    (tmp_path / LOG).write_bytes(b'{"step": 10}\n{"st\xffep": 20}\n' + b"\0" * 9 + b"\n" + b"[" * 99_999 + b'\n{"step": 30}\n')
    assert read_log(tmp_path) == [{"step": 10}, {"step": 30}]


def test_from_the_start_the_log_is_empty(tmp_path):
    (tmp_path / LOG).write_text('{"step": 10}\nnonsense\n[1]\n{"step": "1"}\n')
    Log(tmp_path).resume(0)
    assert (tmp_path / LOG).read_text() == ""


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Log(None, tensorboard=True) as log:
        log.resume(0)
        log.write({"step": 1})
    assert not list(tmp_path.iterdir())


def test_a_log_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / LOG).mkdir()
    with pytest.raises(
        OodkitError, match=r"can't write .*log.jsonl: Is a directory; free some space, and the same command goes on"
    ):
        Log(tmp_path).write({"step": 1})


def test_where_tensorboard_is_missing_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"^TensorBoard is not installed; pip install tensorboard, or leave --tensorboard out$"):
        Log(tmp_path, tensorboard=True)


def test_tensorboard_gets_the_same_numbers(tmp_path, monkeypatch):
    told = []

    class Writer:
        def __init__(self, folder, purge_step):
            told.append((folder, purge_step))

        def add_scalar(self, *what):
            told.append(what)

        def flush(self):
            pass

        close = flush

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    with Log(tmp_path, tensorboard=True) as log:
        log.resume(7)
        log.write({"step": 10, "loss": 1.5, "lr": 0.1})
        log.write({"epoch": 1, "step": 12, "loss": 2.0, "parts": {"ce": 1.25}, "val_loss": None})
    assert told == [
        (str(tmp_path), 8), ("step/loss", 1.5, 10), ("step/lr", 0.1, 10), ("epoch/loss", 2.0, 12), ("epoch/parts/ce", 1.25, 12),
    ]  # fmt: skip


def test_a_log_that_is_gone_is_told_where_its_epochs_are_needed(tmp_path):
    expected = f"{tmp_path / 'log.jsonl'} tells of no epoch, so what the training came to is lost; train into another folder"
    with pytest.raises(TrainingError, match=f"^{re.escape(expected)}$"):
        read_epochs(tmp_path)
