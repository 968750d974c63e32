"""``oodkit augdelete``: the last layer refitted without label smoothing or mixup, and what becomes of it, before and after."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import (
    SETS,
    SHOWS,
    THUMBNAILS,
    AllowPickleOption,
    ArchOption,
    BaselineOption,
    BatchSizeOption,
    BenchmarkOption,
    CacheOption,
    CheckpointOption,
    DataRootOption,
    DeviceOption,
    DtypeName,
    DtypeOption,
    FarOption,
    FormatOption,
    IdOption,
    InputSizeOption,
    JsonOption,
    LimitOption,
    MeanOption,
    ModelArgOption,
    NearOption,
    Preset,
    PresetOption,
    QuietOption,
    ReportOption,
    ScorerOption,
    SeedOption,
    StdOption,
    ThumbnailsOption,
    WorkersOption,
    batch_size_of,
    named_pairs,
    path_given,
)
from oodkit.solvers import Init, Solver

REFIT = "The refit"


def shares_of(text: str) -> tuple[float, ...]:
    """``0.2`` or ``0.05,0.1,1`` as numbers, ascending. Raises typer.BadParameter where they are not shares, each once."""
    values: list[float] = []
    for part in text.split(","):
        if problem := _problem(part, values):
            raise typer.BadParameter(problem, param_hint="--frac")
        values.append(float(part))
    return tuple(sorted(values))


def _problem(part: str, values: Sequence[float]) -> str | None:
    try:
        value = float(part)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        return f"{part!r} is no number; give a share such as 0.2, or several: 0.05,0.1,0.2"
    if value <= 0:
        return f"{part!r} is no share; above 0, since the head as it is stands beside every share anyway"
    if value > 1:
        meant = f"did you mean {value / 100:g}?" if value <= 100 else "20 % of them are 0.2"
        return f"{part!r} is more than all training images, which are 1; {meant}"
    return f"the share {value:g} comes twice; give each once" if value in values else None


def augdelete(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="As in diagnose: a timm name, torchvision:ARCH/WEIGHTS, hf-hub:ID, local-dir:PATH, a weight file with --arch, "
            "py:MODULE:FUNCTION, or demo:NAME. By default model, image sets and settings are those of the run made last.",
            show_default=False,
        ),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            "--train",
            "--fit",
            metavar="SET",
            help="ID training images with labels, to refit on; scorers that learn, learn from the same share of them or, where the "
            "cache holds all, from all. By default a benchmark's own, or those of the run made last.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ] = None,
    frac: Annotated[
        str,
        typer.Option(
            metavar="F[,F…]",
            help="Share of the training images to refit on, drawn class by class; only these go through the network. Of several "
            "each is told of, and the largest is saved.",
            rich_help_panel=REFIT,
        ),
    ] = "0.2",
    solver: Annotated[
        Solver,
        typer.Option(help="lbfgs converges and is deterministic; sgd goes by batches, as in the paper.", rich_help_panel=REFIT),
    ] = "lbfgs",
    init: Annotated[Init, typer.Option(help="Start from the present head or from zeros.", rich_help_panel=REFIT)] = "head",
    l2: Annotated[
        float | None,
        typer.Option(
            help="Strength of the penalty; by default lbfgs chooses it on held-out images, and sgd takes 1e-4.",
            show_default=False,
            rich_help_panel=REFIT,
        ),
    ] = None,
    views: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="K",
            help="Refit on K random crops and flips of each image; 0 takes the image as it is evaluated.",
            rich_help_panel=REFIT,
        ),
    ] = 0,
    id_test: IdOption = None,
    near: NearOption = None,
    far: FarOption = None,
    val: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="ID validation images, which choose the strength of the penalty too; by default a benchmark's own, or a share of "
            "--train.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ] = None,
    benchmark: BenchmarkOption = None,
    data_root: DataRootOption = None,
    limit: LimitOption = None,
    baseline: BaselineOption = "auto",
    scorer: ScorerOption = None,
    preset: PresetOption = Preset.openood,
    alpha: Annotated[float, typer.Option(help="Share of ID images that the detector may reject.", rich_help_panel=SHOWS)] = 0.05,
    arch: ArchOption = None,
    checkpoint: CheckpointOption = None,
    input_size: InputSizeOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    model_arg: ModelArgOption = None,
    allow_pickle: AllowPickleOption = False,
    report: ReportOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--save",
            "--output",
            "-o",
            parser=path_given,
            metavar="DIR",
            help="Folder for result.json, head.safetensors and detector.safetensors; by default oodkit-runs/augdelete-NNN.",
            show_default=False,
            rich_help_panel=SHOWS,
        ),
    ] = None,
    thumbnails: ThumbnailsOption = THUMBNAILS,
    format_: FormatOption = None,
    json_: JsonOption = False,
    quiet: QuietOption = False,
    device: DeviceOption = "auto",
    dtype: DtypeOption = DtypeName.auto,
    batch_size: BatchSizeOption = "auto",
    workers: WorkersOption = None,
    cache: CacheOption = None,
    seed: SeedOption = 0,
) -> None:
    """Refit the last layer with plain cross-entropy, without label smoothing or mixup (AugDelete), and show before and after.

    Without MODEL it takes up what was diagnosed last.

    Examples:

    oodkit augdelete

    oodkit augdelete --frac 0.05,0.1,0.2,0.3,1 --report report.html

    oodkit augdelete resnet50.tv2_in1k --benchmark imagenet-1k --data-root /data/openood --frac 0.2
    """
    from oodkit.cli.diagnosing import show
    from oodkit.cli.formats import chosen
    from oodkit.cli.inputs import Running, SetNames
    from oodkit.cli.last_run import request_again
    from oodkit.cli.loading import load_subjects, loading_of
    from oodkit.cli.repairing import Wanted, repair
    from oodkit.cli.request import Request
    from oodkit.cli.runs import require_writable
    from oodkit.cli.several import told_once

    fracs = shares_of(frac)
    with told_once():
        require_writable(report, output)
        form = chosen(format_, json_)
        wanted = Wanted(fracs, solver=solver, init=init, l2=l2, views=views, alpha=alpha)
    loading = loading_of(arch, checkpoint, input_size, mean, std, model_arg, allow_pickle=allow_pickle)
    running = Running(
        device=device, dtype=dtype.value, batch_size=batch_size_of(batch_size), workers=workers, cache=cache, quiet=quiet
    )
    names = SetNames(
        id_test=id_test,
        near=named_pairs("--near", near or []),
        far=named_pairs("--far", far or []),
        fit=train,
        val=val,
        benchmark=benchmark,
        data_root=data_root,
        limit=limit,
    )
    with told_once():
        request = Request(
            [] if model is None else load_subjects([model], baseline, loading),
            names,
            loading,
            running,
            scorers=scorer or [],
            preset=preset.value,
            seed=seed,
            baseline=baseline,
            thumbnails=thumbnails,
        )
        if model is None:
            request = request_again(request, _given(ctx))
    done = repair(request, wanted)
    show(done.run, report=report, output=output, form=form, quiet=quiet, beside=done.files)


def _given(ctx: typer.Context) -> list[str]:
    """The parameters that the user gave. Where this machine keeps its images says nothing of where those of a run are."""
    sources = {name: source.name for name in ctx.params if (source := ctx.get_parameter_source(name))}
    return [
        name for name, source in sources.items() if source == "COMMANDLINE" or (source == "ENVIRONMENT" and name != "data_root")
    ]
