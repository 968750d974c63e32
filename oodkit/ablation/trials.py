"""All trials of an ablation, one after the other; one that is over is read, and one that fails costs none of the others."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from oodkit.ablation import BASELINE, Ablation, Failure, Trial
from oodkit.ablation.planning import AblationPlan, Key, sets_of
from oodkit.ablation.rows import rows_of, with_shifts
from oodkit.ablation.stored import folder_name, store_trial, stored_trial
from oodkit.ablation.trial import judge_trained
from oodkit.classifier import Classifier
from oodkit.errors import InputError, OodkitError, TrainingError, UsageError
from oodkit.failures import reason_of
from oodkit.forward import resolve_device
from oodkit.training.folder import read_run
from oodkit.training.loop import Reached
from oodkit.training.recipes import parse_recipe
from oodkit.training.run import train
from oodkit.wording import number, percent, printable

Say = Callable[[str], None]
Made = tuple[Trial, tuple[str, ...]]


def _say_nothing(_line: str) -> None:
    pass


def _without(_title: str) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Shown:
    """What is told meanwhile. say: called with a line for each trial that is over. training, judging: opened with the trial's
    title, they give what is called after each step of the training, or with a line for each of the judging.
    """

    say: Say = _say_nothing
    training: Callable[[str], AbstractContextManager[Callable[[Reached], None] | None]] = _without
    judging: Callable[[str], AbstractContextManager[Say | None]] = _without


def ablate(
    planned: AblationPlan, output: Path, *, train: Callable[..., Classifier] = train, shown: Shown | None = None
) -> Ablation:
    """Make every trial, and what they come to. Each has a folder of its own in ``output``: a training run and a trial.json.

    A trial that is over is not made again, and one that was interrupted goes on. One that fails is told of with its reason. train:
    what trains, as ``oodkit.train``.

    Raises UsageError, which names the settings and before anything is trained, where a trial in ``output`` was asked for something
    else; TrainingError where no trial comes to its end.
    """
    known = {key: stored_trial(output / folder_name(*key), asked) for key, asked in planned.asked.items()}
    job = _Job(planned, output, train, shown or Shown())
    made: list[Made] = []
    failures: list[Failure] = []
    for place, (key, done) in enumerate(known.items(), start=1):
        title = f"{place} of {len(known)}: {key[0]}, seed {key[1]}"
        found = _attempt(job, key, title, first=place == 1) if done is None else done
        if done is not None:
            job.shown.say(f"{title}: done already")
        if isinstance(found, Failure):
            failures.append(found)
        else:
            made.append(found)
    if not made:
        raise TrainingError(f"no trial came to its end; {failures[0].recipe}, seed {failures[0].seed}: {failures[0].reason}")
    return _found(planned, made, failures)


def _found(planned: AblationPlan, made: Sequence[Made], failures: Sequence[Failure]) -> Ablation:
    of_trials = [(f"{one.recipe} seed {one.seed}", note) for one, own in made for note in own]
    unlike = [recipe for recipe in planned.recipes if parse_recipe(recipe).note]
    trials = with_shifts([one for one, _ in made], BASELINE, unlike)
    return Ablation(
        arch=planned.arch,
        data=planned.images.training.data.spec,
        baseline=BASELINE,
        recipes=planned.recipes,
        seeds=planned.seeds,
        scorers=list(dict.fromkeys(scorer for one in trials for scorer in one.before.aurocs)),
        groups=dict(planned.images.groups),
        trials=trials,
        rows=rows_of(trials, planned.recipes, BASELINE),
        failures=failures,
        unlike=unlike,
        notes=[*_gathered(planned.notes, len(planned.recipes)), *_gathered(of_trials, len(made))],
    )


@dataclass(frozen=True)
class _Job:
    planned: AblationPlan
    output: Path
    train: Callable[..., Classifier]
    shown: Shown


def _attempt(job: _Job, key: Key, title: str, *, first: bool) -> Made | Failure:
    """What keeps the first trial from being made at all, as a folder that can't be used, is raised: it would keep every other."""
    try:
        return _make(job, key, title)
    except (OodkitError, RuntimeError, MemoryError) as error:
        reason = str(error) if isinstance(error, OodkitError) else reason_of(error, resolve_device(job.planned.how.device))
        if reason is None or (first and isinstance(error, UsageError | InputError)):
            raise
        reason = printable(" ".join(reason.split()))
        job.shown.say(f"{title}: {reason}")
        return Failure(*key, reason)


def _make(job: _Job, key: Key, title: str) -> Made:
    (spec, seed), asked, how = key, job.planned.asked[key], job.planned.how
    folder, began = job.output / folder_name(*key), perf_counter()
    store_trial(folder, asked)
    with job.shown.training(title) as progress:
        model = job.train(
            job.planned.arch,
            **vars(sets_of(spec, job.planned.images.training)),
            **vars(how.shape),
            recipe=spec,
            alpha=how.alpha,
            output=folder,
            device=how.device,
            workers=how.workers,
            tensorboard=how.tensorboard,
            progress=progress,
            **{**how.settings, "seed": seed},
        )
    trained = perf_counter()
    with job.shown.judging(title) as say:
        judged = judge_trained(model, folder, job.planned.images, job.planned.judge, seed=seed, say=say)
    result = (read_run(folder) or {}).get("result") or {}
    notes = (*judged.notes, *_further_note(spec, result))
    trial = Trial(
        recipe=spec,
        seed=seed,
        folder=folder.name,
        seconds=float(result.get("seconds", trained - began)),  # of the log: those before an interruption too
        before=judged.before,
        after=judged.after,
        shift=None,
    )
    store_trial(folder, asked, trial, notes)
    job.shown.say(f"{title}: {_told(trial, perf_counter() - trained)}")
    return trial, notes


def _further_note(spec: str, result: Mapping[str, Any]) -> list[str]:
    """What a run says of its network beyond what its recipe says of any, such as that no outlier was ever synthesised."""
    note = str(result.get("note", "")).removeprefix(parse_recipe(spec).note).removeprefix("; ")
    return [note] if note else []


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
