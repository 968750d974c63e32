"""The images of a synthesis that are not there yet, batch by batch: made, looked at, and written while the next ones are made."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from oodkit.errors import UnreadableImageError
from oodkit.extraction import Progress
from oodkit.processes import rank, world_size
from oodkit.synth.asking import Asker, Given
from oodkit.synth.base import Request
from oodkit.synth.journal import UNREADABLE, Journal, Line
from oodkit.synth.labelling import Verdict
from oodkit.synth.planning import Plan
from oodkit.synth.storing import Storing
from oodkit.wording import printable


class Begun(NamedTuple):
    """An image that is made: its line, and the writing of its file, None where it gets none."""

    line: Line
    file: "Future[None] | None"


def make(
    plan: Plan,
    folder: Path,
    done: np.ndarray,
    batch_size: int,
    journal: Journal,
    progress: Progress | None,
    say: Callable[[str], None],
) -> int:
    """Make what is missing of this process's batches, and tell how many images that was. done: (N,) bool, by number.

    A batch of which anything is missing is made whole, so that what is missing becomes what it would have been; what is there
    stays. An image's line comes into the journal after its file has got its name. progress: of this process's share.
    """
    batches = plan.work.batches(batch_size, rank=rank(), world=world_size())
    missing = [batch for batch in batches if not done[batch.start : batch.stop].all()]
    there, total = sum(int(done[batch.start : batch.stop].sum()) for batch in batches), sum(map(len, batches))
    show = progress or (lambda *_: None)
    made = 0

    def settle(begun: Sequence[Begun]) -> None:
        nonlocal made
        for line, file in begun:
            if file is not None:
                file.result()
            journal.write(line)
            made += 1
            show(there + made, total, "")

    show(there, total, "")
    asker = Asker(plan.generator, plan.batch_size, say)
    with (plan.labeller if missing else None) or nullcontext(), Storing(plan.form) as storing:
        begun: list[Begun] = []
        try:
            for batch in missing:
                following = _begin(plan, folder, asker, storing, batch, done, batch.start // batch_size)
                before, begun = begun, following
                settle(before)
        finally:
            settle(begun)
    return made


def _begin(plan: Plan, folder: Path, asker: Asker, storing: Storing, numbers: range, done: np.ndarray, batch: int) -> list[Begun]:
    """Make a batch, and begin to write those of its images that are missing and are to be kept."""
    requests = [plan.work.request(number) for number in numbers]
    given = asker.ask(requests)
    resized = iter(storing.resized([one for one in given if isinstance(one, Tensor)]))
    images: list[Given] = [next(resized) if isinstance(one, Tensor) else one for one in given]
    begun = []
    for number, request, image, verdict in zip(numbers, requests, images, _verdicts(plan, images, requests), strict=True):
        if not done[number]:
            line = _line(plan, request, image, verdict) | {"batch": batch}
            file = storing.write(image, folder / line["file"]) if isinstance(image, Tensor) and line["file"] else None
            begun.append(Begun(line, file))
    return begun


def _verdicts(plan: Plan, images: Sequence[Given], requests: Sequence[Request]) -> list[Verdict | None]:
    """Of the whole batch, whatever is there of it: which images a classifier sees together can tell in its last bits."""
    if plan.labeller is None:
        return [None] * len(images)
    seen = [(image, request.of) for image, request in zip(images, requests, strict=True) if isinstance(image, Tensor)]
    found = iter(plan.labeller([image for image, _ in seen], [of for _, of in seen]) if seen else ())
    return [next(found) if isinstance(image, Tensor) else None for image in images]


def _line(plan: Plan, request: Request, image: Given, verdict: Verdict | None) -> Line:
    of = request.of if verdict is None else verdict.of
    line = {
        "file": f"{of.folder}/{request.seed}{plan.form.suffix}" if of else f"{request.seed}{plan.form.suffix}",
        "class": of and of.folder,
        "name": of and of.name,
        "label": of and of.label,
        "index": request.index,
        "seed": request.seed,
        "seed_scope": plan.generator.seed_scope,
        "prompt": plan.generator.prompt(request.of) if request.of else "",
        "labelled_by": "generator" if request.of else plan.labelled_by,
        "confidence": verdict and verdict.confidence,
        "predicted": verdict and plan.labeller and plan.labeller.folders[verdict.predicted],
    }
    if isinstance(image, UnreadableImageError):
        return line | {"file": None, "dropped": UNREADABLE, "detail": printable(str(image))}
    return line | ({"file": None, "dropped": verdict.dropped} if verdict is not None and verdict.dropped else {})
