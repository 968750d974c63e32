"""``oodkit demo``: the main job on two shipped checkpoints and real digits, offline."""

from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import (
    CacheOption,
    DeviceOption,
    FormatOption,
    JsonOption,
    QuietOption,
    SeedOption,
    WorkersOption,
    path_given,
)


def demo(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=path_given,
            metavar="DIR",
            help="Folder for the result, the head and the report; by default oodkit-runs/demo.",
            show_default=False,
        ),
    ] = None,
    format_: FormatOption = None,
    json_: JsonOption = False,
    quiet: QuietOption = False,
    device: DeviceOption = "cpu",
    workers: WorkersOption = 0,
    cache: CacheOption = None,
    seed: SeedOption = 0,
) -> None:
    """Diagnose and repair a shipped checkpoint that was trained with torchvision's second recipe; offline, under a minute.

    In-distribution: eight of scikit-learn's ten digits. Near-OOD: the other two. Far-OOD: patches of its two photographs. First the
    checkpoint is held against its plain sibling, as oodkit diagnose does, then its last layer is refitted on all training images,
    as oodkit augdelete --frac 1 does.
    """
    from oodkit.cli.diagnosing import show
    from oodkit.cli.formats import chosen, print_result
    from oodkit.cli.inputs import Running, SetNames
    from oodkit.cli.loading import Loading, load_subjects
    from oodkit.cli.options import Format
    from oodkit.cli.repairing import Wanted, repair
    from oodkit.cli.request import Request
    from oodkit.cli.runs import RUNS, require_folder, require_writable
    from oodkit.demo import MODELS
    from oodkit.report.repairs import before_alone
    from oodkit.report.runs import PAGE

    folder = output or RUNS / "demo"
    require_folder(folder)  # first: it has no --report, which the next one would name
    require_writable(folder / PAGE, folder)
    form = chosen(format_, json_)
    plain, softened = MODELS
    subjects = load_subjects([softened], plain, Loading())
    running = Running(device=device, workers=workers, cache=cache, quiet=quiet)
    done = repair(Request(subjects, SetNames(), Loading(), running, seed=seed), Wanted((1.0,)))

    def story() -> None:
        print_result(before_alone(done.run.document), form)
        typer.echo(f"\nThe repair, as oodkit augdelete {softened} --frac 1 does it\n")

    first = story if form == Format.text else None
    show(done.run, report=folder / PAGE, output=folder, form=form, quiet=quiet, beside=done.files, first=first)
