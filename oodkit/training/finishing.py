"""After the last step: the trained network as a file, its last layer refitted where that was asked for, and what came of it."""

import copy
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from oodkit.classifier import Classifier, load_classifier
from oodkit.extraction import extract
from oodkit.metrics import accuracy
from oodkit.models.base import AUGDELETE
from oodkit.outputs import Outputs
from oodkit.refitting import Refit, refit
from oodkit.training.folder import BEFORE, MODEL
from oodkit.training.learner import Learner
from oodkit.training.log import read_epochs
from oodkit.training.plan import Plan
from oodkit.training.pools import Pool
from oodkit.training.saved import save_network
from oodkit.training.starting import FEATURES, accuracy_at_start, harm_done


def save_trained(path: Path, learner: Learner, planned: Plan) -> Mapping[str, str]:
    """Write the network alone, as the recipe finishes it; the learner stays as it is. Gives the entries that the recipe adds."""
    net, extra = copy.deepcopy(learner.net).cpu(), copy.deepcopy(learner.extra).cpu()
    more = {"note": planned.recipe.note} if planned.recipe.note else {}
    more |= planned.recipe.finish(net, learner.head, extra)
    save_network(path, net, planned.built, recipe=_facts(planned), more=more)
    return more


def finish(
    learner: Learner, planned: Plan, folder: Path, *, device: str, workers: int | None, say: Callable[[str], None]
) -> dict[str, Any]:
    """Write model.safetensors and, where the last layer is refitted, before.safetensors; gives the result, as JSON has it.

    The accuracy is that of the network in the file, which some recipes bring into another form than the one they trained.
    """

    def outputs(model: Classifier, pool: Pool) -> Outputs:
        found = extract(model, pool.images, device=device, workers=workers, cache=folder / FEATURES)
        return found.subset((found.labels >= 0).nonzero().flatten())

    written = folder / (BEFORE if planned.settings.augdelete else MODEL)
    more = save_trained(written, learner, planned)
    model = load_classifier(str(written)) if planned.val is not None or planned.settings.augdelete else None
    val = None if model is None or planned.val is None else outputs(model, planned.val)
    at_start = accuracy_at_start(folder)
    result = {**_logged(folder), "best": _best(planned, folder), "val_accuracy_at_start": at_start, "augdelete": None}
    if model is not None and planned.settings.augdelete:
        say(f"AugDelete: refitting the last layer on the {len(planned.real)} training images, as they are evaluated")
        # the strength of its penalty is chosen without the validation images, of which the accuracy is told
        made = refit(outputs(model, planned.real), seed=planned.settings.seed)
        repaired = model.with_head(made.head, method=AUGDELETE)
        repaired.net.load_state_dict(_counters(learner.net), strict=False)
        more = _of_other_logits(more, planned)
        save_network(folder / MODEL, repaired.net, planned.built, recipe=_facts(planned), refitted=True, more=more)
        before, val = _accuracy(val), None if val is None else val.with_head(repaired.head)
        result |= {"augdelete": _told(made, before, _accuracy(val))}
    caution = ""
    if planned.start is not None and planned.val is not None and val is not None and at_start is not None:
        caution = harm_done(planned, outputs(planned.start, planned.val), val)
    shutil.rmtree(folder / FEATURES, ignore_errors=True)
    result |= {"val_accuracy": _accuracy(val), "caution": caution}
    return {**result, "note": more.get("note", ""), "scored_by": list(planned.recipe.scored_by)}


def _of_other_logits(more: Mapping[str, str], planned: Plan) -> dict[str, str]:
    """What still holds of a network whose last layer was refitted: not what the recipe says of the logits that it trained."""
    stale = planned.recipe.trains_head and more.get("note") == planned.recipe.note
    return {name: word for name, word in more.items() if not (stale and name == "note")}


def _best(planned: Plan, folder: Path) -> dict[str, Any] | None:
    """Of best.safetensors, which AugDelete never refits: its epoch and accuracy on validation images."""
    epochs = [line for line in read_epochs(folder) if line.get("val_accuracy") is not None]
    if not epochs or not planned.recipe.trains_head:
        return None
    best = max(epochs, key=lambda line: line["val_accuracy"])
    return {"epoch": best["epoch"], "val_accuracy": best["val_accuracy"], "before_augdelete": planned.settings.augdelete}


def _told(made: Refit, before: float | None, after: float | None) -> dict[str, Any]:
    """Of Algorithm 1 of "Diagnosing Pretrained Models for Out-of-distribution Detection" (ICCV 2025), on all training images."""
    account = {name: getattr(made, name) for name in ("l2", "judged_by")}
    accuracies = {"val_accuracy_before": before, "val_accuracy": after}
    return {"images": made.n_fit, **account, **accuracies, "notes": list(made.notes)}


def _accuracy(outputs: Outputs | None) -> float | None:
    return None if outputs is None else accuracy(outputs.predictions(), outputs.labels).value


def _counters(net: nn.Module) -> dict[str, Tensor]:
    """The batches that normalisation layers have seen, which no loaded network knows."""
    return {name: count for name, count in net.state_dict().items() if name.endswith("num_batches_tracked")}


def _facts(planned: Plan) -> dict[str, Any]:
    return {**planned.recipe.facts(), "name": planned.recipe.spec()}


def _logged(folder: Path) -> dict[str, Any]:
    """What the log says of the epochs: the last one's figures, and the time that all took."""
    epochs = read_epochs(folder)
    last = epochs[-1]
    return {
        "steps": last["step"],
        "loss": last["loss"],
        "accuracy": last.get("accuracy"),
        "seconds": math.fsum(line["seconds"] for line in epochs),
        "images_per_second": last["images_per_second"],
    }
