"""What ``oodkit augdelete`` and ``oodkit demo`` do once the command line is understood."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import typer

from oodkit.after_repair import export_flags, verdict_after
from oodkit.calibration import require_alpha
from oodkit.changes import Share, gain, share_of
from oodkit.classifier import Classifier
from oodkit.cli.diagnosing import finished, task_of
from oodkit.cli.each_model import Task, diagnose_all, extract_and_tune, extract_share, recipe, tell
from oodkit.cli.extracting import extract_sets
from oodkit.cli.inputs import Sets
from oodkit.cli.loading import Subject
from oodkit.cli.probing import probes_by_set, with_affordable_val
from oodkit.cli.progress import status_line
from oodkit.cli.request import Request
from oodkit.cli.several import told_once
from oodkit.cli.train_shares import TrainShares
from oodkit.detector import Detector
from oodkit.diagnosis import Diagnosis
from oodkit.errors import ImageSetError, UsageError
from oodkit.evaluation import best_first, results_and_placements
from oodkit.exporting.head_file import Making, save_head
from oodkit.images.base import ImageSet
from oodkit.metrics import accuracy
from oodkit.models.base import AUGDELETE
from oodkit.outputs import Outputs
from oodkit.processes import rank
from oodkit.refitting import Refit, refit, require_settings
from oodkit.repair import Repair, compare_repair, shown_in_shares
from oodkit.report.runs import DETECTOR, HEAD, Run
from oodkit.scorers import parse_scorer
from oodkit.scoring import by_label, learnt_from, score_all
from oodkit.solvers import Init, Solver
from oodkit.wording import without_folders


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


def repair(request: Request, wanted: Wanted) -> Repaired:
    """Refit the last layer of the one model on each share of the training images, and diagnose it before and after.

    Every image goes through a network once: of the training images those of the largest share alone, and of these none where the
    cache holds them. The model before and after is told of on the same outputs; what its scorers learn, they learn from all
    training images where the cache holds them, as after a diagnosis, else from the largest share. Of several processes the first
    alone gets beyond the forward passes.
    """
    with told_once():
        if wanted.views and request.seed < 0:
            raise UsageError(f"--views draws with a seed of 0 or more, got {request.seed}")
        sets, request = request.opened()
        (subject,) = request.subjects
        model, whole = subject.model, _training_images(sets, subject.model)
        shares = TrainShares.drawn(whole, model, wanted.fracs, request.seed)
        sets = shares.learnt_from(sets, [one for one in (model, subject.baseline) if one], request.running)
        judged_by_val, notes = sets.val is not None and _is_labelled(sets.val), [*shares.notes(), *_notes(sets)]
        sets = with_affordable_val(sets, request.scorers, request.preset, request.seed)
    task = task_of(request, sets)
    if rank() > 0:
        extract_share(request.subjects, task)
        if wanted.views:
            shares.extract_views(model, wanted.views, request.running, request.seed)
        raise typer.Exit
    told = {} if subject.baseline is None else diagnose_all([Subject(subject.baseline, None)], task)
    outputs, _ = extract_and_tune(model, task)
    refitted_on = shares.outputs(model, sets, outputs["fit"], wanted.views, request.running, request.seed)
    refits = _refits(refitted_on, outputs["val"] if judged_by_val else None, shares, wanted, request)
    repaired = model.with_head(refits[-1].made.head, method=AUGDELETE)
    task = replace(task, shown=[model.name, repaired.name])
    told[model.name] = tell(model, outputs, told[subject.baseline.name] if subject.baseline else None, task)
    after = _with_head(repaired, outputs, task)
    told[repaired.name] = tell(repaired, after, told[model.name], task, same_features=told[model.name].diagnosis.scored)
    diagnoses = told[model.name].diagnosis, told[repaired.name].diagnosis
    found = compare_repair(
        *diagnoses,
        refits[-1].made,
        _shares(diagnoses, refits, outputs, sets, request),
        seconds=sum(one.seconds for one in refits),
        softeners=recipe(model).softeners,
    )
    told[repaired.name] = replace(told[repaired.name], diagnosis=_advised(found, *diagnoses))
    kept = (model, diagnoses[0], outputs) if found.outcome == "harmed" else (repaired, diagnoses[1], after)
    detector, note = _detector(*kept, sets.id_test, wanted.alpha, request)
    untouched = [f"{DETECTOR} has the head as it was, since the refit does harm"] if detector and kept[0] is model else []
    found = replace(found, notes=(*found.notes, *notes, *untouched, note))
    train = {"spec": whole.spec, "images": len(whole), "taken": len(shares.largest), "views": wanted.views}
    run = finished(request, sets, told, [model, repaired], repair=found, train=train, refit_flags=wanted.flags())
    making = _making(found, diagnoses, refits[-1], wanted, request.seed, whole)
    files: dict[str, Callable[[Path], None]] = {HEAD: lambda path: save_head(path, repaired, making)}
    return Repaired(run, files if detector is None else {**files, DETECTOR: detector.save})


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


def _refits(train: Outputs, val: Outputs | None, shares: TrainShares, wanted: Wanted, request: Request) -> list[_Refitted]:
    views, refits = max(wanted.views, 1), []
    with status_line("refitting the last layer", quiet=request.running.quiet) as say:
        for frac in shares.rows:
            started = perf_counter()
            share = train.of_images(shares.positions(frac, views))
            made = refit(
                share,
                solver=wanted.solver,
                init=wanted.init,
                l2=wanted.l2,
                val=val,
                views=views,
                seed=request.seed,
                progress=say,
            )
            refits.append(_Refitted(frac, made, made.n_fit // views, perf_counter() - started))
    return refits


def _with_head(repaired: Classifier, outputs: Mapping[str, Outputs], task: Task) -> dict[str, Outputs]:
    """The outputs with the new head; where a probe is asked for, which runs the whole network, that network is run."""
    probes = probes_by_set([parse_scorer(spec, task.preset) for spec in task.scorers], task.sets, ["id", *task.sets.ood])
    again = extract_sets(repaired, task.sets, task.running, {name: own for name, own in probes.items() if own})
    return {name: again[name] if name in again else own.with_head(repaired.head) for name, own in outputs.items()}


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


def _notes(sets: Sets) -> list[str]:
    if sets.val is None or _is_labelled(sets.val):
        return []
    return ["the validation images have no labels: the strength was not judged on them"]


def _is_labelled(images: ImageSet) -> bool:
    return bool((images.labels >= 0).all())


def _advised(found: Repair, before: Diagnosis, after: Diagnosis) -> Diagnosis:
    return replace(after, verdict=verdict_after(found, before, after))


def _detector(
    model: Classifier, diagnosis: Diagnosis, outputs: Mapping[str, Outputs], id_test: ImageSet, alpha: float, request: Request
) -> tuple[Detector | None, str]:
    """Of the best scorer that runs the network once and gives finite scores, and what is to be said of it."""
    scored = by_label(diagnosis.scored)
    for row in best_first(diagnosis.rows):
        scorer, scores = parse_scorer(row.spec, request.preset), scored[row.scorer].id_scores
        if row.doubted or scorer.probe() is not None or not np.isfinite(scores).all():
            continue
        images = learnt_from(scorer.fits_on, outputs["fit"], outputs.get("val"), request.seed)
        if images is not None:
            scorer.fit(images)
        detector = Detector.calibrated(model, scorer, outputs["id"], alpha, without_folders(id_test.spec))
        flags = export_flags(row, val_given="val" in outputs)
        note = (
            f"{DETECTOR} scores with {row.scorer} and is calibrated, at alpha {alpha:g}, on the ID test images that the scorer was "
            f"picked on: calibrate one on other images with oodkit export {flags}"
        )
        return detector, f"{note}; {caution}" if (caution := detector.calibration.caution()) else note
    return None, "no detector: no scorer that runs the network once gives finite scores"


def _making(
    found: Repair, diagnoses: tuple[Diagnosis, Diagnosis], last: _Refitted, wanted: Wanted, seed: int, whole: ImageSet
) -> Making:
    """What a head says by itself of how it was made and what came of it."""
    facts = {name: getattr(last.made, name) for name in ("solver", "init", "l2", "judged_by", "start_loss", "held_out_loss")}
    asked = {"fraction_asked": last.frac, "images": last.images, "views": wanted.views, "seed": seed}
    refit = {**facts, **asked, "outcome": found.outcome}
    return Making(AUGDELETE, last.images / len(whole), whole.spec, _figures(found, diagnoses), refit)


def _figures(found: Repair, diagnoses: tuple[Diagnosis, Diagnosis]) -> dict[str, Any]:
    """What the head file says of its worth: fractions before and after."""
    figures = {"ID accuracy": tuple(one.accuracy.value for one in diagnoses)}
    for scorer in found.shares[-1].aurocs:
        figures[f"mean AUROC of {scorer}"] = tuple(share.aurocs[scorer].value for share in (found.shares[0], found.shares[-1]))
    return {name: dict(zip(("before", "after"), values, strict=True)) for name, values in figures.items()}
