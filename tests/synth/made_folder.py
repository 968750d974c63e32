"""What a synthesis is asked for, and what it has made, read back from its folder."""

import json
from pathlib import Path
from typing import Any

from .killed_often import contents

EACH = {"per_class": 5, "batch_size": 4}


def manifest(folder: Path, name: str = "manifest.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def run(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())


def images(folder: Path) -> dict[str, bytes]:
    return {name: file for name, file in contents(folder).items() if name.endswith((".png", ".jpg"))}
