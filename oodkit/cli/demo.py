"""``oodkit demo``: the main job on two shipped checkpoints and real digits, offline."""

from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import CacheOption, DeviceOption, FormatOption, JsonOption, QuietOption, SeedOption, WorkersOption


def demo(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder for result.json and report.html; by default oodkit-runs/demo.", show_default=False
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
    """Diagnose a shipped checkpoint trained with label smoothing and mixup against its plain sibling; offline, under a minute.

    In-distribution: eight of scikit-learn's ten digits. Near-OOD: the other two. Far-OOD: patches of its two photographs.
    """
    from oodkit.cli.asked import Asked
    from oodkit.cli.diagnosing import run, show
    from oodkit.cli.formats import chosen
    from oodkit.cli.inputs import Running, SetNames
    from oodkit.cli.loading import Loading, load_subjects
    from oodkit.cli.runs import RUNS, require_writable
    from oodkit.demo import MODELS

    folder = output or RUNS / "demo"
    require_writable(folder / "report.html", folder)
    form = chosen(format_, json_)
    plain, softened = MODELS
    subjects = load_subjects([softened], plain, Loading())
    running = Running(device=device, workers=workers, cache=cache, quiet=quiet)
    finished = run(Asked(subjects, SetNames(), Loading(), running, seed=seed))
    show(finished, report=folder / "report.html", output=folder, form=form, quiet=quiet)
