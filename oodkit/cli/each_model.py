"""Each model of a ``diagnose`` run: extracted, tuned where asked to, diagnosed, and forgotten but for what is to be told of it."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch

from oodkit.classifier import Classifier
from oodkit.cli.choosing import choose, chosen_on, judged_by
from oodkit.cli.class_order import order_notes
from oodkit.cli.extracting import extract_sets
from oodkit.cli.extremes import extremes_of
from oodkit.cli.inputs import Running, Sets
from oodkit.cli.loading import Subject
from oodkit.cli.mixing import extract_mixed, unread_note
from oodkit.cli.probing import probes_by_set, searched
from oodkit.cli.progress import status_line
from oodkit.diagnosis import Diagnosis, diagnose
from oodkit.extremes import Extremes
from oodkit.images.base import ImageSet
from oodkit.mixed_curve import MixedCurve, diagnose_mixed
from oodkit.outputs import Outputs, Skipped
from oodkit.recipe_facts import Recipe, recipe_of
from oodkit.scorers import parse_scorer
from oodkit.scoring import Scored
from oodkit.tuning import Tuning, rows_that_fit


@dataclass(frozen=True)
class Task:
    """What is done with every model.

    shown: the names of those whose scorers' figures are shown; on a mere baseline no probe runs. mixed: images by λ. withheld:
    positions, in the set that settings are judged by, of images that take no part in the choice. thumbnails: how many of the most
    extreme images of each set are to be shown.
    """

    sets: Sets
    running: Running
    scorers: Sequence[str]
    preset: str
    seed: int
    shown: Collection[str]
    mixed: Mapping[float, ImageSet]
    withheld: Sequence[int]
    thumbnails: int


@dataclass(frozen=True)
class Reading:
    """How one image set was read: the number of images, those that could not be read, and what is to be said of it.

    digest: a hash of the set and of the positions that were read. Of two readings with the same digest the n-th image is the same.
    """

    images: int
    digest: str
    skipped: Sequence[Skipped]
    notes: Sequence[str]


@dataclass(frozen=True)
class Told:
    """What is kept of a model; its outputs, and what the scorers learnt, can be gigabytes. A mere baseline has no extremes."""

    diagnosis: Diagnosis
    curve: MixedCurve | None
    extremes: Extremes | None
    readings: Mapping[str, Reading]
    notes: Sequence[str]


def diagnose_all(subjects: Sequence[Subject], task: Task) -> dict[str, Told]:
    """By the model's name what is found of each model and of each baseline."""
    baselines = {one.model.name: one.baseline for one in subjects}
    told: dict[str, Told] = {}

    def settle(model: Classifier) -> Told:
        if model.name not in told:
            baseline = baselines.get(model.name)
            told[model.name] = _tell(model, None if baseline is None else settle(baseline), task)
        return told[model.name]

    for one in subjects:
        settle(one.model)
    return told


def extract_share(subjects: Sequence[Subject], task: Task) -> None:
    """What a process beside the first does of a diagnosis: its share of the forward passes of every model and baseline."""
    models = [model for one in subjects for model in (one.baseline, one.model) if model is not None]
    for model in {model.name: model for model in models}.values():
        extract_and_tune(model, task)
        extract_mixed(model, task.mixed, task.running)


def recipe(model: Classifier) -> Recipe:
    """How the model was trained, or the one that was given another head, as far as that is known."""
    return recipe_of((model.origin or model).name, model.about.get("recipe"))


def tell(
    model: Classifier,
    outputs: Mapping[str, Outputs],
    baseline: Told | None,
    task: Task,
    *,
    tuning: Sequence[Tuning] = (),
    mixed: Mapping[float, Outputs] | None = None,
    same_features: Sequence[Scored] = (),
) -> Told:
    """What is found of a model, or of one with a refitted head, from its outputs. same_features: see ``score_all``."""
    found = _diagnose(model, outputs, tuning, baseline.diagnosis if baseline else None, task, same_features)
    curve = diagnose_mixed(found, mixed, baseline.curve if baseline else None) if mixed else None
    extremes = extremes_of(model, found, outputs, task.sets, task.thumbnails) if model.name in task.shown else None
    note = unread_note(mixed or {})
    return Told(found, curve, extremes, _readings(model, outputs, task), [note] if note else [])


def extract_and_tune(model: Classifier, task: Task) -> tuple[dict[str, Outputs], list[Tuning]]:
    """The outputs on every set, and the settings where they are to be chosen.

    The test sets come last: by then it is settled what they are scored with.
    """
    sets, specs = task.sets, task.scorers if model.name in task.shown else ()
    found: dict[str, Outputs] = {}
    done: dict[str, list[str]] = {}
    tuning: list[Tuning] = []
    if sets.tune:
        probes = probes_by_set(searched(specs, task.preset), sets, [judged_by(sets), *sets.tune])
        done = {name: probes[name] for name in probes if name in chosen_on(sets)}
        found = extract_sets(model, sets, task.running, done)
        tuning = _choose(model, found, task)
        specs = [one.spec for one in tuning] if specs else ()
    probes = probes_by_set([parse_scorer(spec, task.preset) for spec in specs], sets, ["id", *sets.ood])
    rest = {name: own for name, own in probes.items() if name not in done or not set(own) <= set(done[name])}
    return found | extract_sets(model, sets, task.running, rest), tuning


def _tell(model: Classifier, baseline: Told | None, task: Task) -> Told:
    """Every forward pass comes before the scoring, so that nothing that is interrupted takes finished scores with it."""
    outputs, tuning = extract_and_tune(model, task)
    return tell(model, outputs, baseline, task, tuning=tuning, mixed=extract_mixed(model, task.mixed, task.running))


def _choose(model: Classifier, found: Mapping[str, Outputs], task: Task) -> list[Tuning]:
    """Images that were drawn from the training images to judge by are not learnt from: in a bank each is its own neighbour."""
    if task.sets.held_out and any(one.fits_on == "train" for one in searched(task.scorers, task.preset)):
        others = ~torch.isin(found["fit"].indices.cpu(), torch.tensor(task.sets.held_out))
        rows, _ = rows_that_fit(found["fit"], others.nonzero().flatten(), task.seed)
        found = {**found, "fit": found["fit"].subset(rows)}
    return choose(
        model,
        task.sets,
        found,
        task.withheld,
        scorers=task.scorers,
        preset=task.preset,
        seed=task.seed,
        quiet=task.running.quiet,
        shown=model.name in task.shown,
    )


def _diagnose(
    model: Classifier,
    outputs: Mapping[str, Outputs],
    tuning: Sequence[Tuning],
    baseline: Diagnosis | None,
    task: Task,
    same_features: Sequence[Scored],
) -> Diagnosis:
    with status_line(f"{model.name}: scoring", quiet=task.running.quiet) as progress:
        return diagnose(
            model.name,
            outputs["id"],
            {name: outputs[name] for name in task.sets.ood},
            fit=outputs.get("fit"),
            val=outputs.get("val"),
            groups=task.sets.groups,
            scorers=() if tuning else task.scorers,
            tuning=tuning,
            preset=task.preset,
            softeners=recipe(model).softeners,
            refitted=model.refitted,
            baseline=baseline,
            same_features=same_features,
            id_set=task.sets.id_test.spec,
            seed=task.seed,
            progress=progress,
        )


def _readings(model: Classifier, outputs: Mapping[str, Outputs], task: Task) -> dict[str, Reading]:
    outside = task.sets.outside()
    notes = {name: task.sets.ood_notes(name, model) if name in outside else own.notes for name, own in outputs.items()}
    notes["id"] = [*notes["id"], *order_notes(task.sets.id_test, outputs["id"], model)]
    digests = {name: _digest(task.sets.fingerprints[name], own) for name, own in outputs.items()}
    return {name: Reading(len(own), digests[name], own.skipped, notes[name]) for name, own in outputs.items()}


def _digest(fingerprint: str, outputs: Outputs) -> str:
    positions = outputs.indices.to("cpu", torch.int64).contiguous().numpy()
    return hashlib.blake2b(fingerprint.encode() + positions.tobytes(), digest_size=16).hexdigest()
