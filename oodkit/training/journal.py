"""The log of a training: one JSON object a line, and the same for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

LOG = "log.jsonl"


class Journal:
    """``log.jsonl`` of a run's folder, written line by line. folder: None writes nothing, as in all processes but the first.

    tensorboard: write the numbers for TensorBoard too, into the same folder. Raises UsageError where that is not installed.
    """

    def __init__(self, folder: Path | None, *, tensorboard: bool = False) -> None: ...

    def resume(self, step: int) -> None:
        """Cut the lines of steps after ``step``, the one that the training goes on from."""

    def write(self, line: Mapping[str, Any]) -> None:
        """Write one line, at once. It has at least ``step``, the number of steps done."""

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
