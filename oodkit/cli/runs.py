"""``oodkit-runs/``: where a command leaves its result, and where the next one finds what was done last."""

import json
from pathlib import Path
from typing import Any

from oodkit.atomic import write_atomically
from oodkit.errors import OodkitError

RUNS = Path("oodkit-runs")


def save_run(document: dict[str, Any], folder: Path | None = None) -> Path:
    """Write ``result.json`` to ``folder``, or to the next free ``oodkit-runs/<kind>-<number>``; returns the file's path."""
    text = json.dumps(document, indent=1, allow_nan=False)
    path = (folder or _new_folder(document["kind"])) / "result.json"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path


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
