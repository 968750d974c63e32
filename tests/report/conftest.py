"""A document with everything in it that a report has to tell, and names that try to get out of it."""

import pytest
import torch

from oodkit.diagnosis import diagnose
from oodkit.head import Head
from oodkit.mixed_curve import diagnose_mixed
from oodkit.outputs import Outputs
from oodkit.report.document import make_document

SET_NAME = "[red]\x1b[31m\x9b2J--><script>alert('set')</script>"
FILE_NAME = "<img src=x onerror=alert(1)>\x1b]0;owned\x07\r\n[bold]\udcff.png"
FACTS = {"num_classes": 3, "num_features": 4, "head_layers": ["fc"], "preprocessing": {"mean": "<i>"}, "recipe": "<b>&recipe"}


def outputs_of(rows: int, seed: int, shift: float) -> Outputs:
    """Signed features, which ASH cautions of; the class's own feature is ``shift`` larger."""
    features = torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(rows) % 3
    features[torch.arange(rows), labels] += shift
    return Outputs(features, labels, head=Head(torch.eye(3, 4), torch.zeros(3)))


def image_set(name: str, role: str, files: int = 0, notes: tuple[str, ...] = ()) -> dict:
    skipped = [{"index": i, "name": f"{i:02}{FILE_NAME}", "reason": "not an <image>\x1b[2J"} for i in range(files)]
    counts = {"images": 40 + files, "read": 40, "skipped": files}
    return {"name": name, "role": role, "spec": f"folder/{name}", **counts, "skipped_files": skipped, "notes": list(notes)}


@pytest.fixture
def document() -> dict:
    scorers = ["mls", "ash-b", "react", "knn:k=5", "knn:k=7", "mds"]
    unlabelled = outputs_of(60, 2, 3).with_labels(torch.full((60,), -1))
    found = diagnose("net<br>", outputs_of(40, 0, 3), {SET_NAME: outputs_of(40, 1, 0)}, fit=unlabelled, scorers=scorers)
    sets = [image_set("id", "id", notes=("classes are matched by <name>",)), image_set(SET_NAME, "far", files=12)]
    facts = {"net<br>": {**FACTS, "notes": ["no baseline: none is <known>"]}}
    settings = {"preset": "openood"}
    before = diagnose_mixed(found, {lam: outputs_of(20, 3, 3 * (1 - lam)) for lam in (0.1, 0.5)})
    mixed = {"net<br>": diagnose_mixed(found, {lam: outputs_of(20, 4, 3 * (1 - 2 * lam)) for lam in (0.1, 0.5)}, before)}
    command = f"oodkit diagnose {SET_NAME}"
    return make_document([found], facts, sets, command=command, advice_base="--id x", settings=settings, mixed=mixed)
