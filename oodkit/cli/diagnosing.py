"""What ``oodkit diagnose`` and ``oodkit demo`` do once the command line is understood."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import typer

from oodkit import demo
from oodkit.classifier import Classifier
from oodkit.cli.choosing import images_to_withhold, judged_by
from oodkit.cli.extremes import with_thumbnails
from oodkit.cli.formats import print_result
from oodkit.cli.inputs import Running, SetNames, Sets, open_sets
from oodkit.cli.loading import Loading, Subject
from oodkit.cli.options import THUMBNAILS, Format
from oodkit.cli.probing import with_affordable_val
from oodkit.cli.runs import new_folder
from oodkit.cli.session import Reading, Task, diagnose_all, recipe
from oodkit.diagnosis import Diagnosis
from oodkit.images.mixed import mixed_sets
from oodkit.metrics import Vector
from oodkit.report.document import make_document
from oodkit.report.runs import Run, save_run
from oodkit.scorers import parse_scorer
from oodkit.scoring import by_label


def run(
    subjects: Sequence[Subject],
    names: SetNames,
    running: Running,
    *,
    scorers: Sequence[str],
    preset: str,
    seed: int,
    loading: Loading,
    baseline: str = "auto",
    mixed: bool = False,
    thumbnails: int = THUMBNAILS,
) -> Run:
    """Extract, choose settings where asked to, diagnose, and put everything into one document; with ``mixed`` mixed images too.

    The demo's models bring its image sets where none are named. thumbnails: how many of each set's most extreme images are shown.
    """
    for spec in scorers:
        parse_scorer(spec, preset=preset)
    if not (names.any_set or names.benchmark) and all(one.model.name.startswith("demo:") for one in subjects):
        names = replace(names, id_test=demo.ID_TEST, near=demo.NEAR, far=demo.FAR, fit=demo.FIT, val=demo.VAL)
    sets, names = open_sets(names, subjects[0].model.num_classes)
    for model in [model for one in subjects for model in (one.model, one.baseline) if model is not None]:
        sets.check_labels(model)
    mixed_images = mixed_sets(sets.id_test, seed=seed) if mixed else {}
    sets = with_affordable_val(sets, scorers, preset, seed)
    withheld = images_to_withhold(sets, running) if sets.tune else []
    shown = [one.model.name for one in subjects]
    told = diagnose_all(subjects, Task(sets, running, scorers, preset, seed, shown, mixed_images, withheld, thumbnails))
    extremes, files = with_thumbnails({name: found for name in shown if (found := told[name].extremes)}, sets)
    settings = {"preset": preset, "seed": seed, "device": running.device, "dtype": running.dtype, "thumbnails": thumbnails}
    again = {**settings, "baseline": baseline}
    advised = replace(names, tune={}, tune_benchmark=False)  # advice names the settings that were found
    document = make_document(
        [told[name].diagnosis for name in shown],
        {one.model.name: {**facts_of(one.model), "notes": [*one.notes, *told[one.model.name].notes]} for one in subjects},
        _set_rows(sets, [told[name].readings for name in shown], withheld),
        command=shlex.join(["oodkit", *sys.argv[1:]]),
        advice_base=" ".join(part for part in (advised.flags(), loading.flags(), _flags(again)) if part),
        settings=settings,
        inputs=_inputs(subjects, names, loading),
        mixed={name: curve for name in shown if (curve := told[name].curve)},
        baselines={name: one.diagnosis for name, one in told.items()},
        read={name: _read(told[name].readings, sets) for name in shown},
        extremes=extremes,
    )
    diagnoses = {name: told[name].diagnosis for name in shown}
    correct = {name: one.correct for name, one in diagnoses.items()}
    return Run(document, {name: _scores(one) for name, one in diagnoses.items()}, files, correct)


def facts_of(model: Classifier) -> dict[str, Any]:
    """What every result says of the model."""
    return {
        **model.about,
        "name": model.name,
        "num_classes": model.num_classes,
        "num_features": model.head.num_features,
        "head_layers": list(model.head.layers),
        "weights": model.fingerprint(),
        "preprocessing": dict(model.preprocessing),
        "recipe": str(recipe(model)),
    }


def show(run: Run, *, report: Path | None, output: Path | None, form: Format, quiet: bool) -> None:
    """Store the run, write the report, and print what was asked for; with ``quiet`` the paths only.

    Where one of them fails, all else is there before the error is told: the work that it tells of can have taken hours.
    """
    from oodkit.report.html import write_html

    paths: list[Path] = []
    try:
        try:
            paths.append(save_run(run, output or new_folder(run.document["kind"])))
        finally:
            if report is not None:
                write_html(run, report)
                paths.append(report)
    finally:
        if quiet:
            typer.echo("".join(f"{path}\n" for path in paths), nl=False)
        else:
            print_result(run.document, form)
            if paths:
                typer.echo(f"written: {', '.join(map(str, paths))}", err=True)


def _flags(settings: dict[str, Any]) -> str:
    """The settings that are not the defaults, as options."""
    defaults = {"preset": "openood", "seed": 0, "baseline": "auto", "device": "auto", "dtype": "auto", "thumbnails": THUMBNAILS}
    return " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in settings.items() if value != defaults[name])


def _inputs(subjects: Sequence[Subject], names: SetNames, loading: Loading) -> dict[str, Any]:
    """What was asked for, so that a later command can ask for it again."""
    told = {key: str(value) if isinstance(value, Path) else value for key, value in {**asdict(names), **asdict(loading)}.items()}
    sets, options = ({key: told[key] for key in asdict(part)} for part in (names, loading))
    baselines = [None if one.baseline is None else one.baseline.name for one in subjects]
    return {"models": [one.model.name for one in subjects], "baselines": baselines, "sets": sets, "loading": options}


def _scores(diagnosis: Diagnosis) -> dict[str, dict[str, Vector]]:
    """By label and by set the scores of every scorer that gave any."""
    labelled = by_label(diagnosis.scored)
    return {label: {"id": one.id_scores, **one.ood_scores} for label, one in labelled.items() if one.reason is None}


def _read(readings: Mapping[str, Reading], sets: Sets) -> dict[str, dict[str, Any]]:
    return {name: {"n": readings[name].images, "images": readings[name].digest} for name in ("id", *sets.ood)}


def _set_rows(sets: Sets, readings: Sequence[Mapping[str, Reading]], withheld: Sequence[int]) -> list[dict[str, Any]]:
    """One row a set; notes that differ between models all stand there."""
    rows = []
    for name, images in sets.named().items():
        own = [one[name] for one in readings]
        notes = [*(note for one in own for note in one.notes), *sets.notes.get(name, ())]
        if withheld and name == judged_by(sets):
            notes.append(f"{len(withheld)} images are in a test set too: no setting was chosen on them")
        skipped = dict.fromkeys(failure for one in own for failure in one.skipped)
        rows.append(
            {
                "name": name,
                "role": sets.role(name),
                "spec": images.spec,
                "fingerprint": sets.fingerprints[name],
                "images": len(images),
                "read": min(one.images for one in own),
                "skipped": len(skipped),
                "skipped_files": [asdict(one) for one in skipped],
                "notes": list(dict.fromkeys(notes)),
            }
        )
    return rows
