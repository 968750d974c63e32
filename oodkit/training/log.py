"""The log of a training: one JSON object a line, and the same for TensorBoard."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from oodkit.atomic import write_atomically
from oodkit.errors import OodkitError, TrainingError, UsageError
from oodkit.training.folder import LOG


class Log:
    """``log.jsonl`` of a run's folder, written line by line. folder: None writes nothing, as in all processes but the first.

    tensorboard: write the numbers for TensorBoard too, into the same folder. Raises UsageError where that is not installed.
    """

    def __init__(self, folder: Path | None, *, tensorboard: bool = False) -> None:
        self._path = None if folder is None else folder / LOG
        self._writer_of = _tensorboard() if tensorboard and folder is not None else None
        self._writer: Any = None

    def resume(self, step: int) -> None:
        """Cut the lines of steps after ``step``, from which the training goes on, and one that was not written to its end."""
        if self._path is None:
            return
        kept = [line for line in _lines(self._path) if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        write_atomically(self._path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        if self._writer_of is not None:
            self._writer = self._writer_of(str(self._path.parent), purge_step=step + 1)

    def write(self, line: Mapping[str, Any]) -> None:
        """Write one line, at once. It has at least ``step``, the number of steps done; numbers that are not finite become null."""
        if self._path is None:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({name: _plain(value) for name, value in line.items()}, allow_nan=False) + "\n")
        except OSError as error:
            raise OodkitError(
                f"can't write {self._path}: {error.strerror}; free some space, and the same command goes on"
            ) from error
        if self._writer is not None:
            self._write_scalars(line)

    def _write_scalars(self, line: Mapping[str, Any]) -> None:
        per = "epoch" if "epoch" in line else "step"
        numbers = {**line, **{f"parts/{name}": value for name, value in line.get("parts", {}).items()}}
        for name, value in numbers.items():
            if isinstance(value, float):
                self._writer.add_scalar(f"{per}/{name}", value, line["step"])
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, as far as they are whole."""
    return _lines(folder / LOG)


def read_epochs(folder: Path) -> list[dict[str, Any]]:
    """Of these the lines that end an epoch; that of epoch 0, which says how well the start does, is none.

    Raises TrainingError where there is none, as when somebody has deleted the log.
    """
    epochs = [line for line in read_log(folder) if line.get("epoch")]
    if not epochs:
        raise TrainingError(f"{folder / LOG} tells of no epoch, so what the training came to is lost; train into another folder")
    return epochs


def _lines(path: Path) -> list[dict[str, Any]]:
    found = []
    for text in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):  # a process that was killed while it wrote
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            found.append(line)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tensorboard() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError("TensorBoard is not installed; pip install tensorboard, or leave --tensorboard out") from error
    return SummaryWriter
