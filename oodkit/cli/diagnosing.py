"""What ``oodkit diagnose`` and ``oodkit demo`` do once the command line is understood."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any

import typer

from oodkit.classifier import Classifier
from oodkit.cli.choosing import images_to_withhold, judged_by
from oodkit.cli.command_line import command_line
from oodkit.cli.each_model import Reading, Task, Told, diagnose_all, extract_share, recipe
from oodkit.cli.extremes import with_thumbnails
from oodkit.cli.formats import print_result
from oodkit.cli.inputs import Sets
from oodkit.cli.options import Format
from oodkit.cli.probing import with_affordable_val
from oodkit.cli.request import Request
from oodkit.cli.runs import new_folder
from oodkit.cli.several import told_once
from oodkit.diagnosis import Diagnosis
from oodkit.images.base import ImageSet
from oodkit.images.mixed import mixed_sets
from oodkit.metrics import Vector
from oodkit.processes import rank
from oodkit.repair import Repair
from oodkit.report.document import Asked, Found, make_document
from oodkit.report.runs import RESULT, Run, save_run
from oodkit.scoring import by_label
from oodkit.wording import counted, printable


def run(request: Request, *, mixed: bool = False) -> Run:
    """Extract, choose settings where asked to, diagnose, and put everything into one document; with ``mixed`` mixed images too.

    Of several processes the first alone gets beyond the forward passes.
    """
    with told_once():
        sets, request = request.opened()
        mixed_images = mixed_sets(sets.id_test, seed=request.seed) if mixed else {}
        sets = with_affordable_val(sets, request.scorers, request.preset, request.seed)
        withheld = images_to_withhold(sets, request.running) if sets.tune else []
    task = task_of(request, sets, mixed=mixed_images, withheld=withheld)
    if rank() > 0:
        extract_share(request.subjects, task)
        raise typer.Exit
    told = diagnose_all(request.subjects, task)
    return finished(request, sets, told, [one.model for one in request.subjects], withheld=withheld)


def task_of(
    request: Request,
    sets: Sets,
    *,
    mixed: Mapping[float, ImageSet] | None = None,
    withheld: Sequence[int] = (),
) -> Task:
    """The task of what was asked for."""
    shown = [one.model.name for one in request.subjects]
    return Task(
        sets=sets,
        running=request.running,
        scorers=request.scorers,
        preset=request.preset,
        seed=request.seed,
        shown=shown,
        mixed=mixed or {},
        withheld=withheld,
        thumbnails=request.thumbnails,
    )


def finished(
    request: Request,
    sets: Sets,
    told: Mapping[str, Told],
    models: Sequence[Classifier],
    *,
    withheld: Sequence[int] = (),
    repair: Repair | None = None,
    train: Mapping[str, Any] | None = None,
    refit_flags: str = "",
) -> Run:
    """The run of what was found of these models; the others that are told of were baselines.

    repair, train: see ``make_document``; refit_flags: see ``Asked``.
    """
    shown = {model.name: told[model.name] for model in models}
    extremes, files = with_thumbnails({name: one.extremes for name, one in shown.items() if one.extremes}, sets)
    choices = {one.model.name: one.notes for one in request.subjects}
    found = [
        Found(
            one.diagnosis,
            {**facts_of(model), "notes": [*choices.get(model.name, ()), *one.notes, *_stated(model)]},
            _read(one.readings, sets),
            one.curve,
            extremes.get(model.name),
        )
        for model in models
        for one in [shown[model.name]]
    ]
    asked = Asked(
        command_line(),
        request.settings(),
        request.inputs(),
        advice_base=request.flags(),
        export_base=request.loading_flags(),
        refit_flags=refit_flags,
    )
    rows = _set_rows(sets, [one.readings for one in shown.values()], withheld)
    document = make_document(found, rows, asked, baselines=[one.diagnosis for one in told.values()], repair=repair, train=train)
    correct = {name: one.diagnosis.correct for name, one in shown.items()}
    return Run(document, {name: _scores(one.diagnosis) for name, one in shown.items()}, files, correct)


def facts_of(model: Classifier) -> dict[str, Any]:
    """What every result says of the model."""
    return {
        **{name: fact for name, fact in model.about.items() if name not in {"note", "taken"}},
        "name": model.name,
        "num_classes": model.num_classes,
        "num_features": model.head.num_features,
        "head_layers": list(model.head.layers),
        "weights": model.fingerprint(),
        "preprocessing": dict(model.preprocessing),
        "recipe": f"{recipe(model)}{'; last layer refitted by plain cross-entropy' if model.refitted else ''}",
    }


def _stated(model: Classifier) -> list[str]:
    """What the model's file says of its logits, and which of its weights were taken."""
    said = [f"the file of the model says: {printable(model.about['note'])}"] if "note" in model.about else []
    return [*said, *([model.about["taken"]] if "taken" in model.about else [])]


def show(
    run: Run,
    *,
    report: Path | None,
    output: Path | None,
    form: Format,
    quiet: bool,
    beside: Mapping[str, Callable[[Path], None]] | None = None,
    first: Callable[[], None] | None = None,
) -> None:
    """Store the run, write the report, and print what was asked for; with ``quiet`` the paths only.

    beside: by name what writes a further file of the run, once its result is there. first: prints what stands above it. Where
    one of them fails, all else is there before the error is told: the work that it tells of can have taken hours.
    """
    from oodkit.report.html import write_html

    paths: list[Path] = []

    @cache
    def folder() -> Path:
        return output or new_folder(run.document["kind"])

    def write(path: Path, by: Callable[[Path], object]) -> None:
        by(path)
        paths.append(path)

    def write_beside(name: str, by: Callable[[Path], object]) -> None:
        write(folder() / name, by)

    steps: list[Callable[[], object]] = [partial(write_beside, RESULT, lambda path: save_run(run, path.parent))]
    steps += [partial(write_beside, name, by) for name, by in (beside or {}).items()]
    steps += [] if report is None else [partial(write, report, partial(write_html, run))]
    if quiet:
        steps += [lambda: typer.echo("".join(f"{path}\n" for path in paths), nl=False)]
    else:
        steps += [first or (lambda: None), partial(print_result, run.document, form)]
        steps += [lambda: typer.echo(f"written: {', '.join(map(str, paths))}", err=True) if paths else None]
    _do_all(steps)


def _do_all(steps: Sequence[Callable[[], object]]) -> None:
    """Raise the first error once all are done."""
    failure = None
    for step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001  # whatever it is, it is raised below
            failure = failure or error
    if failure is not None:
        raise failure


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
            notes.append(f"{counted(len(withheld), 'image is', 'images are')} in a test set too: no setting was chosen on them")
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
