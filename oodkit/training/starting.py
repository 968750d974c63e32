"""How well a classifier does before it is trained on, and whether the training did it harm."""

from collections.abc import Callable
from pathlib import Path

from oodkit.accuracies import compare_accuracies, marks_of
from oodkit.extraction import extract
from oodkit.metrics import accuracy
from oodkit.outputs import Outputs
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.folder import LOG
from oodkit.training.log import Log, read_log
from oodkit.training.plan import Plan
from oodkit.wording import percent

FEATURES = "features"  # a folder of outputs, which is gone when the run is finished


def judge_start(planned: Plan, folder: Path, log: Log, *, device: str, workers: int | None, say: Callable[[str], None]) -> None:
    """Begin the log with the accuracy, as of epoch 0, on validation images of the classifier whose weights are the start.

    With nothing where there is none, where its last layer was replaced, and without validation images. Where the training goes on,
    the log stays as it is.
    """
    if Checkpoints(folder).step():
        return
    (folder / LOG).unlink(missing_ok=True)  # of an attempt that saved nothing, and that may have started from another classifier
    if planned.start is None or planned.val is None:
        return
    found = extract(planned.start, planned.val.images, device=device, workers=workers, cache=folder / FEATURES)
    value = accuracy(found.predictions(), found.labels).value
    log.write({"epoch": 0, "step": 0, "val_accuracy": value})
    say(f"before: accuracy {percent(value)} on {planned.val.images.spec}")


def accuracy_at_start(folder: Path) -> float | None:
    """What ``judge_start`` found."""
    return next((line["val_accuracy"] for line in read_log(folder) if line.get("epoch") == 0), None)


def harm_done(planned: Plan, before: Outputs, after: Outputs) -> str:
    """A caution where more of the same images are wrong than before, and McNemar's exact test finds it (p < 0.05); else nothing."""
    assert planned.val is not None
    first, second = (marks_of(one.predictions(), one.labels) for one in (before, after))
    change = compare_accuracies(second, first)
    if change.difference >= 0 or change.p_value >= 0.05:
        return ""
    was, now = (accuracy(one.predictions(), one.labels).value for one in (before, after))
    fell = f"the accuracy on {planned.val.images.spec} fell from {percent(was)} to {percent(now)}"
    mirrored = ", and --no-flip where a mirrored image is none of its class, as of digits and letters"
    return f"{fell}: try a lower --lr than {planned.settings.lr:g}{mirrored if planned.settings.flip else ''}"
