"""The rows of ``oodkit score`` as CSV or JSON lines, each written whole and at once."""

import csv
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TextIO

from oodkit.cli.score import RowFormat, Status
from oodkit.errors import OodkitError
from oodkit.report.rows_csv import cell
from oodkit.streaming import Row

COLUMNS = ("path", "class_name", "class_index", "score", "p_value", "status", "reason")


class RowWriter:
    """Writes rows to ``output``, or to stdout for None, so that whoever reads them sees each as it comes.

    A file is called ``partial`` until the block ends, and stays so where an error ends it. A pipe or a device is written to as it
    is. Raises OodkitError where that can't be written, BrokenPipeError where nobody reads it any more.
    """

    def __init__(self, form: RowFormat, output: Path | None) -> None:
        self.form, self.output = form, output
        is_file = output is not None and (output.is_file() or not output.exists())
        self.partial = output.with_name(f"{output.name}.partial") if output is not None and is_file else None
        self._file: TextIO = sys.stdout

    def __enter__(self) -> Self:
        path = self.partial or self.output
        with self._one_line():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
            self._table = csv.writer(self._file, lineterminator="\n")
            if self.form == RowFormat.csv:
                self._table.writerow(COLUMNS)
            self._file.flush()
        return self

    def put(self, row: Row, status: Status) -> None:
        """Write one row and hand it on."""
        values = (row.path, row.class_name, row.prediction, row.score, row.p_value, status.value, row.reason)
        with self._one_line():
            if self.form == RowFormat.csv:
                self._table.writerow([cell(value) for value in values])
            else:
                self._file.write(json.dumps(dict(zip(COLUMNS, map(_encodable, values), strict=True))) + "\n")
            self._file.flush()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.output is None:
            return
        if kind is not None:
            self._abandon()
            return
        with self._one_line(), self._file:
            if self.partial is not None:
                os.fsync(self._file.fileno())  # without this a power failure can leave the name and not the rows
                self.partial.replace(self.output)

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._abandon()
            if isinstance(error, BrokenPipeError):
                raise
            place, remedy = (self.output, "choose another file") if self.output else ("to stdout", "give --output FILE")
            raise OodkitError(f"can't write {place}: {error.strerror or error}; free some space or {remedy}") from error

    def _abandon(self) -> None:
        """What could not be written goes nowhere, now or when Python ends, where that would be a second error."""
        with suppress(OSError):
            if self.output is None:
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._file.fileno())
            elif self._file is not sys.stdout:
                self._file.close()


def _encodable(value: Any) -> Any:
    """A byte of a name that is no UTF-8 is spelled: what Python holds in its place can't stand in JSON that others read."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
