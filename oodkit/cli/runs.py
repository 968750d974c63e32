"""``oodkit-runs/``: where a command leaves its result, and where the next one finds what was done last."""

import json
from pathlib import Path
from typing import Any

from oodkit.atomic import write_atomically

RUNS = Path("oodkit-runs")


def save_run(document: dict[str, Any], folder: Path | None = None) -> Path:
    """Write ``result.json`` to ``folder``, or to the next free ``oodkit-runs/<kind>-<number>``; returns the file's path."""
    folder = folder or _next_folder(document["kind"])
    path = folder / "result.json"
    text = json.dumps(document, indent=1, allow_nan=False)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return path


def _next_folder(kind: str) -> Path:
    numbers = [int(path.name.rpartition("-")[2]) for path in RUNS.glob(f"{kind}-*") if path.name.rpartition("-")[2].isdecimal()]
    return RUNS / f"{kind}-{max(numbers, default=0) + 1:03}"
