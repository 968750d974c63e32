"""One trained network judged: its outputs from one forward pass an image, scored before and after AugDelete."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oodkit.ablation import Figures
from oodkit.classifier import Classifier, load_classifier
from oodkit.errors import InputError
from oodkit.evaluation import most_general_mean, results
from oodkit.extraction import extract
from oodkit.forward import resolve_device
from oodkit.images.base import ImageSet
from oodkit.max_logits import logit_rows
from oodkit.metrics import accuracy
from oodkit.outputs import Outputs
from oodkit.refitting import GAIN, Refit, refit
from oodkit.scoring import Scored, labels_of, score_all
from oodkit.training.folder import BEFORE
from oodkit.training.plan import Sets

OUTPUTS = "outputs"  # of the trial's folder, while it is judged: those of the training images can be gigabytes
SCORERS = ("mls", "knn", "nnguide")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Images:
    """What the networks are trained and judged on. groups: "near" or "far" by OOD set."""

    training: Sets
    id_test: ImageSet
    ood: Mapping[str, ImageSet]
    groups: Mapping[str, str]

    def judged_on(self) -> dict[str, ImageSet]:
        """By role or name what each trained network sees: training images to learn from, val to choose a refit's strength."""
        roles = {"train": self.training.data, "val": self.training.val, "id": self.id_test}
        return {role: images for role, images in roles.items() if images is not None} | dict(self.ood)


@dataclass(frozen=True)
class Judge:
    """How the networks are judged. scorers: specs; they learn from all training images. workers: processes that decode."""

    scorers: Sequence[str] = SCORERS
    device: str = "auto"
    workers: int | None = None


@dataclass(frozen=True)
class Judged:
    """The figures as trained and with the last layer refitted. notes: what else is to know of this network."""

    before: Figures
    after: Figures
    notes: tuple[str, ...]


def judge_trained(
    model: Classifier, folder: Path, images: Images, judge: Judge, *, seed: int = 0, say: Say | None = None
) -> Judged:
    """The network of a finished training run in ``folder``, judged as ``oodkit diagnose`` does.

    Each image goes through it once; scorers that read features alone score once. The last layer as trained is that in
    before.safetensors, where the run refitted it already. It is refitted here on all training images, of every recipe by the same
    rule, the strength by the validation images, which a run does not use for it. seed: draws those held out where there are none.
    What is extracted lies in the folder, from where an interrupted judgement goes on, and goes at the end.

    Raises InputError where the maximal logit gives no scores, NotApplicableError where the features can't be refitted on.
    """
    say = say or (lambda _: None)
    found = {name: _extracted(model, name, one, folder, images, judge, say) for name, one in images.judged_on().items()}
    if (folder / BEFORE).is_file():
        head = load_classifier(str(folder / BEFORE)).head
        found = {name: one.with_head(head) for name, one in found.items()}
    made = refit(found["train"], val=_labelled(found.get("val")), seed=seed, progress=say)
    before, after = found, {name: one.with_head(made.head) for name, one in found.items()}
    scored = _scored(before, images, judge, (), say)
    again = _scored(after, images, judge, scored, say)
    notes = _cautions(made)
    notes += [f"{name}: {one.reason}" for one, name in zip(scored, labels_of(scored), strict=True) if one.reason]
    notes += [f"{name}, AugDelete: {one.reason}" for one, name in zip(again, labels_of(again), strict=True) if one.reason]
    judged = Judged(_figures(before["id"], scored, images), _figures(after["id"], again, images), tuple(dict.fromkeys(notes)))
    del found, before, after
    shutil.rmtree(folder / OUTPUTS, ignore_errors=True)
    return judged


def _extracted(model: Classifier, name: str, images: ImageSet, folder: Path, sets: Images, judge: Judge, say: Say) -> Outputs:
    device = resolve_device(judge.device)
    outputs = extract(
        model,
        images,
        device=judge.device,
        workers=judge.workers,
        cache=folder / OUTPUTS,
        labelled=name not in sets.ood,
        progress=lambda done, count, _: say(f"{name}: {done} of {count} images"),
    )
    return outputs.to(device) if device.type == "cuda" else outputs


def _cautions(made: Refit) -> list[str]:
    """In the same words of every network."""
    unsure = made.judged_by == "train" and made.start_loss is not None and made.start_loss < GAIN
    by_heart = "AugDelete could not tell whether there is something to repair: the network knows its training images by heart"
    notes = [f"{by_heart}; give --val SET, images that it was not trained on"] if unsure else []
    return notes if made.converged else [*notes, "AugDelete ended before it was proven to be near its optimum"]


def _labelled(outputs: Outputs | None) -> Outputs | None:
    return None if outputs is None else outputs.subset((outputs.labels >= 0).nonzero().flatten())


def _scored(
    outputs: Mapping[str, Outputs], images: Images, judge: Judge, same_features: Sequence[Scored], say: Say
) -> list[Scored]:
    ood = {name: outputs[name] for name in images.ood}
    fit, val = outputs["train"], outputs.get("val")
    return score_all(judge.scorers, outputs["id"], ood, fit=fit, val=val, same_features=same_features, progress=say)


def _figures(id_test: Outputs, scored: Sequence[Scored], images: Images) -> Figures:
    mls = next(one for one in scored if one.name == "mls")
    if mls.reason is not None:
        raise InputError(f"the network can't be judged: {mls.reason}")
    rows = [row for row in results(scored, images.groups) if row.auroc is not None and row.fpr95_ood is not None]
    aurocs: dict[str, dict[str, float]] = {row.scorer: {} for row in rows}
    fprs: dict[str, dict[str, float]] = {row.scorer: {} for row in rows}
    summary = most_general_mean(rows)
    for row in rows:
        assert row.auroc is not None
        assert row.fpr95_ood is not None
        for name in (row.ood_set, "mean") if row.ood_set == summary else (row.ood_set,):
            aurocs[row.scorer][name], fprs[row.scorer][name] = row.auroc.value, row.fpr95_ood.value
    means = {"id" if row.group == "id" else row.image_set: row.mean.value for row in logit_rows(mls, images.groups)}
    right = accuracy(id_test.predictions(), id_test.labels.cpu())
    return Figures(right.value, aurocs, fprs, means)
