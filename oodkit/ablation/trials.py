"""All trials of an ablation, one after the other; those that are over are read, and one that fails costs none of the others."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from oodkit.ablation import BASELINE, Ablation, Failure, Trial
from oodkit.ablation.checks import checked_recipes, checked_seeds, require_usable
from oodkit.ablation.rows import rows_of, with_shifts
from oodkit.ablation.stored import folder_name, store_trial, stored_trial
from oodkit.ablation.trial import Images, Judge, judge_trained
from oodkit.classifier import Classifier
from oodkit.errors import InputError, OodkitError, TrainingError, UsageError
from oodkit.failures import reason_of
from oodkit.training.folder import read_run
from oodkit.training.loop import Reached
from oodkit.training.plan import Plan, Sets, Shape, plan
from oodkit.training.recipes import parse_recipe
from oodkit.training.run import train
from oodkit.wording import number, percent, printable

Say = Callable[[str], None]
Watch = Callable[[str], AbstractContextManager[Callable[[Reached], None] | None]]
Key = tuple[str, int]
Made = tuple[Trial, tuple[str, ...]]


@dataclass(frozen=True)
class How:
    """How the networks are built and trained, as ``oodkit.train`` takes it. settings: fields of ``training.settings.Settings``."""

    shape: Shape = field(default_factory=Shape)
    alpha: Any = None
    device: str = "auto"
    workers: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Job:
    arch: str
    images: Images
    how: How
    judge: Judge
    train: Callable[..., Classifier]
    say: Say
    watch: Watch


def ablate(
    arch: str,
    recipes: Sequence[str],
    seeds: Sequence[int],
    images: Images,
    how: How,
    judge: Judge,
    *,
    output: Path,
    train: Callable[..., Classifier] = train,
    say: Say | None = None,
    watch: Watch | None = None,
) -> Ablation:
    """Train a network with each recipe and seed, the baseline always and first, and judge each before and after AugDelete.

    recipes: specs such as ``mixup:alpha=1``. Each trial has a folder of its own in ``output``: a training run and a trial.json. One
    that is over is not made again, and one that was interrupted goes on. A trial that fails is told of with its reason. train: what
    trains, as ``oodkit.train``. say: called with a line for each thing that is done. watch: opened with a title for each training,
    it gives what is called after each of its steps.

    Raises UsageError or InputError, before anything is trained, for recipes, seeds, scorers and sets that can't be used, and where
    a trial in ``output`` was asked for something else; TrainingError where no trial came to its end.
    """
    specs, seeds = checked_recipes(recipes), checked_seeds(seeds)
    require_usable(images, specs, judge.scorers)
    asked, notes = _settled(arch, specs, seeds, images, how, judge)
    known = {key: stored_trial(output / folder_name(*key), one) for key, one in asked.items()}
    job = _Job(arch, images, how, judge, train, say or (lambda _: None), watch or (lambda _: nullcontext()))
    made: list[Made] = []
    failures: list[Failure] = []
    for place, (key, one) in enumerate(asked.items(), start=1):
        title = f"{place} of {len(asked)}: {key[0]}, seed {key[1]}"
        done = _known(job, title, known[key]) or _attempt(job, key, output / folder_name(*key), one, title, first=place == 1)
        if isinstance(done, Failure):
            failures.append(done)
        else:
            made.append(done)
    if not made:
        raise TrainingError(f"no trial came to its end; {failures[0].recipe}, seed {failures[0].seed}: {failures[0].reason}")
    notes += _gathered([(f"{one.recipe} seed {one.seed}", note) for one, own in made for note in own], len(made))
    notes += [f"{one.recipe} seed {one.seed}: {one.reason}" for one in failures]
    trials = with_shifts([one for one, _ in made], BASELINE)
    labels = list(dict.fromkeys(scorer for one in trials for scorer in one.before.aurocs))
    rows = rows_of(trials, specs, BASELINE)
    facts = (arch, images.training.data.spec, BASELINE, specs, seeds, labels, dict(images.groups))
    return Ablation(*facts, trials, rows, failures, notes)


def _settled(
    arch: str, specs: Sequence[str], seeds: Sequence[int], images: Images, how: How, judge: Judge
) -> tuple[dict[Key, dict[str, Any]], list[str]]:
    """By recipe and seed all that decides what comes of the trial, seed by seed; and what is to be said of the recipes."""
    plans = {spec: _plan(arch, spec, seeds[0], images, how) for spec in specs}
    sets = {name: {"spec": one.spec, "fingerprint": one.fingerprint()} for name, one in images.judged_on().items()}
    asked = {(spec, seed): _asked(plans[spec], seed, sets, images, judge) for seed in seeds for spec in specs}
    told = [(spec, note) for spec in specs for note in dict.fromkeys((*plans[spec].notes, plans[spec].recipe.note)) if note]
    return asked, _gathered(told, len(specs))


def _plan(arch: str, spec: str, seed: int, images: Images, how: How) -> Plan:
    return plan(arch, _sets_of(spec, images.training), spec, how.alpha, how.shape, {**how.settings, "seed": seed})


def _sets_of(spec: str, sets: Sets) -> Sets:
    """Outliers and images to mix in go to the recipes that train with such, and to no other."""
    needs = parse_recipe(spec).needs
    return replace(sets, outliers=sets.outliers if "outliers" in needs else None, mixing=sets.mixing if "mixing" in needs else None)


def _asked(planned: Plan, seed: int, sets: Mapping[str, Any], images: Images, judge: Judge) -> dict[str, Any]:
    """All that decides what comes of a trial: what decides on its training, and what it is judged by."""
    trained = planned.asked
    judged_on = {f"{images.groups.get(name, '')} {name}".strip(): one for name, one in sets.items() if name != "train"}
    settings = {**trained["settings"], "seed": seed, "scorers": list(judge.scorers)}
    return {**trained, "settings": settings, "sets": {**trained["sets"], **judged_on}}


def _known(job: _Job, title: str, known: Made | None) -> Made | None:
    if known is not None:
        job.say(f"{title}: done already")
    return known


def _attempt(job: _Job, key: Key, folder: Path, asked: Mapping[str, Any], title: str, *, first: bool) -> Made | Failure:
    """What keeps the first from being made at all, as an architecture that can't be had, is raised: it would keep all from it."""
    try:
        return _make(job, key, folder, asked, title)
    except (OodkitError, RuntimeError, MemoryError) as error:
        reason = str(error) if isinstance(error, OodkitError) else reason_of(error, torch.device(job.how.device))
        if reason is None or (first and isinstance(error, UsageError | InputError)):
            raise
        reason = printable(" ".join(reason.split()))
        job.say(f"{title}: {reason}")
        return Failure(*key, reason)


def _make(job: _Job, key: Key, folder: Path, asked: Mapping[str, Any], title: str) -> Made:
    store_trial(folder, asked)
    spec, seed = key
    sets, how, began = _sets_of(spec, job.images.training), job.how, perf_counter()
    with job.watch(title) as progress:
        model = job.train(
            job.arch,
            **vars(sets),
            **vars(how.shape),
            recipe=spec,
            alpha=how.alpha,
            output=folder,
            device=how.device,
            workers=how.workers,
            progress=progress,
            **{**how.settings, "seed": seed},
        )
    trained = perf_counter()
    judged = judge_trained(model, folder, job.images, job.judge, seed=seed, say=lambda step: job.say(f"{title}: {step}"))
    trial = Trial(spec, seed, folder.name, _seconds(folder, trained - began), judged.before, judged.after, None)
    store_trial(folder, asked, trial, judged.notes)
    job.say(f"{title}: {_told(trial, perf_counter() - trained)}")
    return trial, judged.notes


def _seconds(folder: Path, measured: float) -> float:
    """Of all epochs, also of those before an interruption, as the run's log has them."""
    result = (read_run(folder) or {}).get("result") or {}
    return float(result.get("seconds", measured))


def _told(trial: Trial, judging: float) -> str:
    aurocs = [
        f"{name} {number(own['mean'], 1)} → {number(trial.after.aurocs.get(name, {}).get('mean'), 1)}"
        for name, own in trial.before.aurocs.items()
    ]
    took = f"trained in {trial.seconds:.0f} s, judged in {judging:.0f} s"
    return f"accuracy {percent(trial.before.accuracy)}; AUROC in %, as trained → AugDelete: {', '.join(aurocs)}; {took}"


def _gathered(told: Sequence[tuple[str, str]], among: int) -> list[str]:
    """Each note once, after the names of those that it is of; of all of them by itself."""
    by_note: dict[str, list[str]] = {}
    for name, note in told:
        by_note.setdefault(note, []).append(name)
    return [note if len(names) == among else f"{', '.join(names)}: {note}" for note, names in by_note.items()]
