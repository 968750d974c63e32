"""A run that is whole, its names from folders whose bytes are no UTF-8, for the tests of how runs are stored and read."""

import json
from pathlib import Path

import numpy as np

from oodkit.report.runs import Run

SET = "näh\udcff.[red]"  # a name from a folder whose bytes are no UTF-8
PNG, JPG = "0a1b.png", "ffee.jpg"
GOLDEN = Path(__file__).parent / "golden"
COMMAND = "oodkit diagnose net --id x\x1b[2J"


def document_of(*thumbnails: str | None, **other: object) -> dict:
    """One that is whole, with these thumbnails; in place of its keys those of ``other``."""
    document = json.loads((GOLDEN / "result.json").read_bytes())
    first, second = document["models"]
    images = [first["extremes"]["rejected"][0] | {"name": "x.png", "thumbnail": one} for one in thumbnails]
    first["extremes"] |= {"accepted": {SET: images[:1]}, "rejected": images[1:]}
    second["extremes"] = None
    return document | {"command": COMMAND} | other


def scores_of(seed: int) -> dict:
    random = np.random.default_rng(seed)
    knn = {"id": random.random(5, np.float32), SET: random.random(3)[::-1]}
    return {"net.1": {"mls": {"id": random.random(5)}, "knn:k=5": knn}, "none": {}}


def whole_run() -> Run:
    return Run(document_of(PNG, JPG, None), scores_of(0), {PNG: b"first", JPG: b"second"})


def write_result(folder, document) -> None:
    (folder / "result.json").write_text(document if isinstance(document, str) else json.dumps(document))
