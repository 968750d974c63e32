"""What ``oodkit ablate`` does once the command line is understood."""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from oodkit import demo
from oodkit.ablation import BASELINE
from oodkit.ablation.planning import AblationPlan, How, is_begun_in, plan_ablation, with_finished
from oodkit.ablation.trial import SCORERS, Images, Judge
from oodkit.ablation.trials import Shown, ablate
from oodkit.cli.command_line import command_line
from oodkit.cli.diagnosing import show
from oodkit.cli.inputs import NO_SET, SetNames, open_sets
from oodkit.cli.interruptions import kept_in
from oodkit.cli.options import Format
from oodkit.cli.progress import status_line
from oodkit.cli.runs import folders_of, new_folder, require_writable
from oodkit.cli.several import told_once
from oodkit.cli.training import Job
from oodkit.cli.training_progress import Show, shown_progress
from oodkit.errors import UsageError
from oodkit.images import open_images
from oodkit.images.base import ImageSet
from oodkit.report.ablations import document_of_ablation
from oodkit.report.runs import Run
from oodkit.training.plan import Sets
from oodkit.wording import counted, printable


@dataclass(frozen=True)
class Asked:
    """What is to be tried and how it is judged, beside the training, as the command line has it; None = not said."""

    arch: str
    recipes: Sequence[str]
    seeds: Sequence[int]
    scorers: Sequence[str] | None
    id_test: str | None
    near: Mapping[str, str]
    far: Mapping[str, str]
    tensorboard: bool = False


def carry_out_ablation(asked: Asked, job: Job, output: Path | None, *, report: Path | None, form: Format, quiet: bool) -> None:
    """Make every trial that is not there yet, and print what they come to."""
    with told_once():
        require_writable(report, output)
        images = _images(asked, job)
        how = How(
            shape=job.shape(),
            alpha=job.share(),
            device=job.device,
            workers=job.workers,
            settings=job.given(),
            tensorboard=asked.tensorboard,
        )
        judge = Judge(asked.scorers or SCORERS, job.device, workers=job.workers)
        planned = plan_ablation(asked.arch, asked.recipes, asked.seeds, images, how, judge)
    folder = output or _folder(planned)
    shown, own = _shown(quiet=quiet), len(planned.asked)
    planned = with_finished(planned, folder, shown.say)
    before = len(planned.asked) - own
    joined = f", and {before} of before that {'joins' if before == 1 else 'join'} the result" if before else ""
    shown.say(f"{counted(own, 'trial', 'trials')} in {folder}{joined}")
    with kept_in(folder):
        found = ablate(planned, folder, shown=shown)
    command, sets = command_line(), _set_rows(planned)
    document = document_of_ablation(found, command=command, settings=_settings(planned), sets=sets)
    show(Run(document), report=report, output=folder, form=form, quiet=quiet)
    if form is Format.text and not quiet:
        typer.echo(f"diagnose one of the trials: {_diagnose_command(folder / found.trials[0].folder, images, job.limit)}")


def _images(asked: Asked, job: Job) -> Images:
    """The image sets, opened; with training images of the demo and no others named, those of the demo."""
    id_test, near, far, val = asked.id_test, asked.near, asked.far, job.val
    if job.data.startswith("demo:") and not (id_test or near or far):
        id_test, near, far, val = demo.ID_TEST, demo.NEAR, demo.FAR, val or demo.VAL
    if job.data == NO_SET:
        raise UsageError(f"--data {NO_SET} names none, and an ablation trains on images: give --data SET")
    if id_test is None:
        raise UsageError("no in-distribution test images: give --id SET, images that the networks are not trained on")
    if not (near or far):
        raise UsageError("no out-of-distribution images: give --near NAME=SET or --far NAME=SET")
    sets, _ = open_sets(SetNames(id_test, near, far, job.data, val, limit=job.limit), 0)
    assert sets.fit is not None

    def opened(spec: str | None) -> ImageSet | None:
        return None if spec is None else open_images(spec, limit=job.limit)

    training = Sets(sets.fit, sets.val, opened(job.synthetic), opened(job.outliers), opened(job.mixing))
    return Images(training, sets.id_test, sets.ood, sets.groups)


def _folder(planned: AblationPlan) -> Path:
    """That of the same ablation, with as many recipes and seeds as it may have had; else a new one."""
    return next((path for path in folders_of("ablate") if is_begun_in(path, planned)), None) or new_folder("ablate")


def _shown(*, quiet: bool) -> Shown:
    """Off a terminal a line a trial: a line an epoch, of as many trainings, would be thousands."""
    hidden = quiet or not sys.stderr.isatty()

    @contextmanager
    def training(title: str) -> Iterator[Show | None]:
        if not hidden:
            typer.echo(printable(title), err=True)
        with shown_progress(quiet=hidden) as progress:
            yield progress

    def say(line: str) -> None:
        if not quiet:
            typer.echo(printable(line), err=True)

    return Shown(say, training, lambda title: status_line(printable(title), quiet=quiet))


def _diagnose_command(trial: Path, images: Images, limit: int | None) -> str:
    own = ["oodkit", "diagnose", f"local-dir:{trial}"]
    if images.training.data.spec != demo.FIT:
        named = [(f"--{images.groups[name]}", f"{name}={one.spec}") for name, one in images.ood.items()]
        val = [] if images.training.val is None else [("--val", images.training.val.spec)]
        sets = [("--id", images.id_test.spec), *named, ("--train", images.training.data.spec), *val]
        own += [word for pair in sets for word in pair]
    return printable(shlex.join([*own, *([] if limit is None else ["--limit", str(limit)])]))


def _set_rows(planned: AblationPlan) -> list[dict[str, Any]]:
    images = planned.images
    training = {"train" if name == "data" else name: one for name, one in images.training.given().items()}
    named = [(role, role, one) for role, one in {**training, "id": images.id_test}.items()]
    named += [(name, images.groups[name], one) for name, one in images.ood.items()]
    return [
        {"name": name, "role": role, "spec": one.spec, "fingerprint": one.fingerprint(), "images": len(one)}
        for name, role, one in named
    ]


def _settings(planned: AblationPlan) -> dict[str, Any]:
    """Those of the baseline as they took effect and, by recipe, those that are others there."""
    own = {recipe: _training_of(asked) for (recipe, _), asked in planned.asked.items()}
    baseline = own[BASELINE]
    others = {recipe: {key: value for key, value in one.items() if value != baseline[key]} for recipe, one in own.items()}
    return {**baseline, "of_recipes": {recipe: one for recipe, one in others.items() if one}}


def _training_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    shape = {key: asked[key] for key in ("classes", "input_size", "mean", "std", "stem", "model_args")}
    return {**{key: value for key, value in asked["settings"].items() if key not in {"seed", "scorers"}}, **shape}
