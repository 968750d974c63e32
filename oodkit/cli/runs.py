"""``oodkit-runs/``: where a command leaves its result, and where the next one finds what was done last."""

import json
import os
from pathlib import Path
from typing import Any

from oodkit.atomic import write_atomically
from oodkit.errors import OodkitError, UsageError

RUNS = Path("oodkit-runs")


def save_run(document: dict[str, Any], folder: Path | None = None) -> Path:
    """Write ``result.json`` to ``folder``, or to the next free ``oodkit-runs/<kind>-<number>``; returns the file's path."""
    text = json.dumps(document, indent=1, allow_nan=False)
    path = (folder or _new_folder(document["kind"])) / "result.json"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path


def require_writable(report: Path | None, output: Path | None) -> None:
    """Raise UsageError, before any work is done, where the report or the result could not be written afterwards."""
    if report is not None and (report.is_dir() or not report.name):
        raise UsageError(f"--report {report} is a folder; give the name of a file, such as report.html")
    for folder in [output or RUNS] + ([] if report is None else [report.absolute().parent]):
        nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK):
            raise UsageError(f"can't write to {folder}; give --output FOLDER, or --report FILE, where you can")


def _new_folder(kind: str) -> Path:
    """Made here and now, so that of two runs that end at once each has a folder of its own."""
    numbers = [int(path.name.rpartition("-")[2]) for path in RUNS.glob(f"{kind}-*") if path.name.rpartition("-")[2].isdecimal()]
    number = max(numbers, default=0)
    while True:
        number += 1
        folder = RUNS / f"{kind}-{number:03}"
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise OodkitError(f"can't make {folder}: {error.strerror or error}; give --output FOLDER") from error
