"""What ``oodkit augdelete`` and ``oodkit demo`` do once the command line is understood."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import typer

from oodkit.after_repair import verdict_after
from oodkit.calibration import require_alpha
from oodkit.changes import Share, gain, share_of
from oodkit.classifier import Classifier
from oodkit.cli.best_detector import best_detector
from oodkit.cli.diagnosing import finished, task_of
from oodkit.cli.each_model import Task, Told, diagnose_all, extract_and_tune, extract_share, recipe, tell
from oodkit.cli.extracting import extract_sets
from oodkit.cli.inputs import Sets
from oodkit.cli.loading import Subject
from oodkit.cli.probing import probes_by_set, with_affordable_val
from oodkit.cli.progress import status_line
from oodkit.cli.request import Request
from oodkit.cli.several import told_once
from oodkit.cli.train_shares import TrainShares
from oodkit.diagnosis import Diagnosis
from oodkit.errors import ImageSetError, UsageError
from oodkit.evaluation import results_and_placements
from oodkit.exporting.head_file import Making, save_head
from oodkit.head import Head
from oodkit.images.base import ImageSet
from oodkit.metrics import accuracy
from oodkit.models.base import AUGDELETE
from oodkit.outputs import Outputs
from oodkit.processes import rank
from oodkit.refitting import Refit, refit, require_settings
from oodkit.repair import Repair, compare_repair, shown_in_shares
from oodkit.report.runs import DETECTOR, HEAD, Run
from oodkit.scorers import parse_scorer
from oodkit.scoring import score_all
from oodkit.solvers import Init, Solver


@dataclass(frozen=True)
class Wanted:
    """How the last layer is to be refitted.

    fracs: shares of the training images, in (0, 1], ascending; the last makes the repaired model. views: how many augmented views
    of each image, 0 for the images as they are evaluated. alpha: of the detector.
    """

    fracs: Sequence[float]
    solver: Solver = "lbfgs"
    init: Init = "head"
    l2: float | None = None
    views: int = 0
    alpha: float = 0.05

    def __post_init__(self) -> None:
        """Raise UsageError for what can't be, before any image is read."""
        require_settings(self.solver, self.init, self.l2)
        require_alpha(self.alpha)

    def flags(self) -> str:
        """Those that are not the defaults, but for the shares, as options."""
        default = Wanted(self.fracs)
        names = ("solver", "init", "l2", "views", "alpha")
        given = {name: getattr(self, name) for name in names if getattr(self, name) != getattr(default, name)}
        return " ".join(f"--{name} {value}" for name, value in given.items())


@dataclass(frozen=True)
class Repaired:
    """A run, and what writes the files beside its result, by their names."""

    run: Run
    files: Mapping[str, Callable[[Path], None]]


@dataclass(frozen=True)
class _Refitted:
    frac: float
    made: Refit
    images: int
    seconds: float


@dataclass(frozen=True)
class _Ready:
    """All that is settled before an image is read. val_judges: whether refits are judged on the validation images."""

    request: Request
    sets: Sets
    shares: TrainShares
    val_judges: bool
    notes: Sequence[str]

    @property
    def subject(self) -> Subject:
        (subject,) = self.request.subjects
        return subject


@dataclass(frozen=True)
class _Side:
    """The model before or after, its outputs on every set, and what is found of it."""

    model: Classifier
    outputs: Mapping[str, Outputs]
    told: Told


def repair(request: Request, wanted: Wanted) -> Repaired:
    """Refit the last layer of the one model on each share of the training images, and diagnose it before and after.

    Every image goes through a network once: of the training images those of the largest share alone, and of these none where the
    cache holds them. The model before and after is told of on the same outputs; what its scorers learn, they learn from all
    training images where the cache holds them, as after a diagnosis, else from the largest share. Of several processes the first
    alone gets beyond the forward passes.
    """
    ready = _made_ready(request, wanted)
    task = task_of(ready.request, ready.sets)
    if rank() > 0:
        _extract_share(ready, task, wanted)
        raise typer.Exit
    model, baseline = ready.subject.model, ready.subject.baseline
    told = {} if baseline is None else diagnose_all([Subject(baseline, None)], task)
    outputs, _ = extract_and_tune(model, task)
    refits = _refits(ready, outputs, wanted)
    before, after = _diagnosed(model, refits[-1].made.head, outputs, told.get(baseline.name) if baseline else None, task)
    found = _compared(ready, before, after, refits)
    advised = replace(after.told.diagnosis, verdict=verdict_after(found, before.told.diagnosis, after.told.diagnosis))
    told |= {model.name: before.told, after.model.name: replace(after.told, diagnosis=advised)}
    kept = before if found.outcome == "harmed" else after
    scored = kept.model, kept.told.diagnosis, kept.outputs
    detector, note = best_detector(*scored, ready.sets.id_test, wanted.alpha, ready.request)
    untouched = [f"{DETECTOR} has the head as it was, since the refit does harm"] if detector and kept is before else []
    found = replace(found, notes=(*found.notes, *ready.notes, *untouched, note))
    whole, taken = ready.shares.whole, len(ready.shares.largest)
    train = {"spec": whole.spec, "images": len(whole), "taken": taken, "views": wanted.views}
    models = [model, after.model]
    run = finished(ready.request, ready.sets, told, models, repair=found, train=train, refit_flags=wanted.flags())
    making = _making(found, refits[-1], ready, wanted)
    files: dict[str, Callable[[Path], None]] = {HEAD: lambda path: save_head(path, after.model, making)}
    return Repaired(run, files if detector is None else {**files, DETECTOR: detector.save})


def _made_ready(request: Request, wanted: Wanted) -> _Ready:
    """Raises UsageError and ImageSetError for what can't be refitted."""
    with told_once():
        if wanted.views and request.seed < 0:
            raise UsageError(f"--views draws with a seed of 0 or more, got {request.seed}")
        sets, request = request.opened()
        (subject,) = request.subjects
        whole = _training_images(sets, subject.model)
        shares = TrainShares.drawn(whole, subject.model, wanted.fracs, request.seed)
        sets = shares.learnt_from(sets, [one for one in (subject.model, subject.baseline) if one], request.running)
        val_judges, notes = sets.val is not None and bool((sets.val.labels >= 0).all()), shares.notes()
        if sets.val is not None and not val_judges:
            notes.append("the validation images have no labels: the strength was not judged on them")
        # last of all: it may draw validation images from those that are refitted on, which judge nothing
        sets = with_affordable_val(sets, request.scorers, request.preset, request.seed)
    return _Ready(request, sets, shares, val_judges, notes)


def _extract_share(ready: _Ready, task: Task, wanted: Wanted) -> None:
    """What a process beside the first does of a repair."""
    extract_share(ready.request.subjects, task)
    if wanted.views:
        ready.shares.extract_views(ready.subject.model, wanted.views, task.running, task.seed)


def _training_images(sets: Sets, model: Classifier) -> ImageSet:
    """Raises UsageError where there are none, or where they are to judge what is learnt; ImageSetError where they lack labels."""
    if sets.fit is None:
        raise UsageError(f"no training images to refit {model.name} on: give --train SET, a folder of class folders for example")
    if sets.fingerprints["fit"] == sets.fingerprints.get("val"):
        raise UsageError(
            "the training images are the very set given as --val, which is to judge the refit: give others, or --val none"
        )
    if missing := int((sets.fit.labels < 0).sum()):
        raise ImageSetError(f"{missing} of {len(sets.fit)} training images of {sets.fit.spec} have no label; give class folders")
    return sets.fit


def _refits(ready: _Ready, outputs: Mapping[str, Outputs], wanted: Wanted) -> list[_Refitted]:
    """A refit for each share, the largest last."""
    request, shares, views = ready.request, ready.shares, max(wanted.views, 1)
    train = shares.outputs(ready.subject.model, ready.sets, outputs["fit"], wanted.views, request.running, request.seed)
    refits = []
    with status_line("refitting the last layer", quiet=request.running.quiet) as say:
        for frac in shares.rows:
            started = perf_counter()
            share = train.of_images(shares.positions(frac, views))
            made = refit(
                share,
                solver=wanted.solver,
                init=wanted.init,
                l2=wanted.l2,
                val=outputs["val"] if ready.val_judges else None,
                views=views,
                seed=request.seed,
                progress=say,
            )
            refits.append(_Refitted(frac, made, made.n_fit // views, perf_counter() - started))
    return refits


def _diagnosed(
    model: Classifier, head: Head, outputs: Mapping[str, Outputs], baseline: Told | None, task: Task
) -> tuple[_Side, _Side]:
    """The model before, against its baseline, and after, against itself."""
    repaired = model.with_head(head, method=AUGDELETE)
    task = replace(task, shown=[model.name, repaired.name])
    before = _Side(model, outputs, tell(model, outputs, baseline, task))
    again = _with_head(repaired, outputs, task)
    after = tell(repaired, again, before.told, task, same_features=before.told.diagnosis.scored)
    return before, _Side(repaired, again, after)


def _with_head(repaired: Classifier, outputs: Mapping[str, Outputs], task: Task) -> dict[str, Outputs]:
    """The outputs with the new head; where a probe is asked for, which runs the whole network, that network is run."""
    probes = probes_by_set([parse_scorer(spec, task.preset) for spec in task.scorers], task.sets, ["id", *task.sets.ood])
    again = extract_sets(repaired, task.sets, task.running, {name: own for name, own in probes.items() if own})
    return {name: again[name] if name in again else own.with_head(repaired.head) for name, own in outputs.items()}


def _compared(ready: _Ready, before: _Side, after: _Side, refits: Sequence[_Refitted]) -> Repair:
    diagnoses = before.told.diagnosis, after.told.diagnosis
    return compare_repair(
        *diagnoses,
        refits[-1].made,
        _shares(diagnoses, refits, before.outputs, ready.sets, ready.request),
        seconds=sum(one.seconds for one in refits),
        softeners=recipe(before.model).softeners,
    )


def _shares(
    diagnoses: tuple[Diagnosis, Diagnosis],
    refits: Sequence[_Refitted],
    outputs: Mapping[str, Outputs],
    sets: Sets,
    request: Request,
) -> list[Share]:
    """The figures of every share; those of the first and the last are those of the two diagnoses."""
    before, after = diagnoses
    shown = shown_in_shares(after)
    shares = [share_of(0.0, 0, before.accuracy, before.rows, shown)]
    for one in refits[:-1]:
        own = {name: images.with_head(one.made.head) for name, images in outputs.items()}
        scored = score_all(
            list(shown.values()),
            own["id"],
            {name: own[name] for name in sets.ood},
            fit=own["fit"],
            val=own.get("val"),
            preset=request.preset,
            seed=request.seed,
        )
        rows, _, placed = results_and_placements(scored, sets.groups)
        found = accuracy(own["id"].predictions(), own["id"].labels.cpu())
        shares.append(share_of(one.frac, one.images, found, rows, shown, one.made, one.seconds, gain(before, placed)))
    last = refits[-1]
    told = last.frac, last.images, after.accuracy, after.rows, shown, last.made, last.seconds
    return [*shares, share_of(*told, gain(before, after.placed))]


def _making(found: Repair, last: _Refitted, ready: _Ready, wanted: Wanted) -> Making:
    """What a head says by itself of how it was made and what came of it."""
    facts = {name: getattr(last.made, name) for name in ("solver", "init", "l2", "judged_by", "start_loss", "held_out_loss")}
    asked = {"fraction_asked": last.frac, "images": last.images, "views": wanted.views, "seed": ready.request.seed}
    refit = {**facts, **asked, "outcome": found.outcome}
    whole = ready.shares.whole
    return Making(AUGDELETE, last.images / len(whole), whole.spec, _figures(found.shares[0], found.shares[-1]), refit)


def _figures(before: Share, after: Share) -> dict[str, Any]:
    """What the head file says of its worth: fractions before and after."""
    figures = {"ID accuracy": (before.accuracy.value, after.accuracy.value)}
    figures |= {f"mean AUROC of {scorer}": (before.aurocs[scorer].value, auroc.value) for scorer, auroc in after.aurocs.items()}
    return {name: dict(zip(("before", "after"), values, strict=True)) for name, values in figures.items()}
