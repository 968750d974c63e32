"""After the last step: the trained network as a file, its last layer refitted where that was asked for, and what came of it."""

import copy
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from oodkit.classifier import load_classifier
from oodkit.extraction import extract
from oodkit.metrics import accuracy
from oodkit.models.base import AUGDELETE
from oodkit.refitting import refit
from oodkit.training.folder import BEFORE, MODEL
from oodkit.training.journal import read_log
from oodkit.training.learner import Learner
from oodkit.training.plan import Plan
from oodkit.training.saved import save_network

FEATURES = "features"  # a folder that is there while the last layer is refitted


def save_trained(path: Path, learner: Learner, planned: Plan) -> Mapping[str, str]:
    """Write the network alone, as the recipe finishes it; the learner stays as it is. Gives the entries that the recipe adds."""
    net, extra = copy.deepcopy(learner.net).cpu(), copy.deepcopy(learner.extra).cpu()
    more = {"note": planned.recipe.note} if planned.recipe.note else {}
    more |= planned.recipe.finish(net, learner.head, extra)
    save_network(path, net, planned.built, recipe=_facts(planned), more=more)
    return more


def finish(
    learner: Learner,
    planned: Plan,
    folder: Path,
    val_accuracy: float | None,
    *,
    device: str,
    workers: int | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Write model.safetensors and, where the last layer is refitted, before.safetensors; gives the result, as JSON has it."""
    result = {**_logged(folder), "val_accuracy": val_accuracy, "augdelete": None}
    if not planned.settings.augdelete:
        more = save_trained(folder / MODEL, learner, planned)
    else:
        more = save_trained(folder / BEFORE, learner, planned)
        say(f"AugDelete: refitting the last layer on the {len(planned.real)} training images, as they are evaluated")
        result["augdelete"] = _augdelete(planned, folder, more, device=device, workers=workers)
        result["val_accuracy"] = result["augdelete"]["val_accuracy"]
    return {**result, "note": more.get("note", ""), "scored_by": list(planned.recipe.scored_by)}


def _augdelete(planned: Plan, folder: Path, more: Mapping[str, str], *, device: str, workers: int | None) -> dict[str, Any]:
    """Algorithm 1 of "Diagnosing Pretrained Models for Out-of-distribution Detection" (ICCV 2025), on all training images."""
    model = load_classifier(str(folder / BEFORE))
    found = {
        name: extract(model, pool.images, device=device, workers=workers, cache=folder / FEATURES)
        for name, pool in (("data", planned.real), ("val", planned.val))
        if pool is not None
    }
    val = found.get("val")
    judged = None if val is None else val.subset((val.labels >= 0).nonzero().flatten())
    made = refit(found["data"], val=judged, seed=planned.settings.seed)
    repaired = model.with_head(made.head, method=AUGDELETE)
    save_network(folder / MODEL, repaired.net, planned.built, recipe=_facts(planned), refitted=True, more=more)
    after = None if judged is None else judged.with_head(repaired.head)
    accuracies = [None if one is None else accuracy(one.predictions(), one.labels).value for one in (judged, after)]
    shutil.rmtree(folder / FEATURES, ignore_errors=True)
    return {
        "images": made.n_fit,
        "l2": made.l2,
        "judged_by": made.judged_by,
        "val_accuracy_before": accuracies[0],
        "val_accuracy": accuracies[1],
        "notes": list(made.notes),
    }


def _facts(planned: Plan) -> dict[str, Any]:
    return {**planned.recipe.facts(), "name": planned.recipe.spec()}


def _logged(folder: Path) -> dict[str, Any]:
    """What the log says of the epochs: the last one's figures, the best on validation images, and the time that all took."""
    epochs = [line for line in read_log(folder) if "epoch" in line]
    last, judged = epochs[-1], [line for line in epochs if line.get("val_accuracy") is not None]
    best = max(judged, key=lambda line: line["val_accuracy"], default=None)
    return {
        "steps": last["step"],
        "loss": last["loss"],
        "accuracy": last.get("accuracy"),
        "seconds": math.fsum(line["seconds"] for line in epochs),
        "images_per_second": last["images_per_second"],
        "best": None if best is None else {"epoch": best["epoch"], "val_accuracy": best["val_accuracy"]},
    }
