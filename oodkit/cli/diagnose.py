"""``oodkit diagnose``: how well a classifier notices images from outside its classes, and why it doesn't."""

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

ModelArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL…",
        help="timm name (resnet50.tv2_in1k), torchvision:ARCH/WEIGHTS, hf-hub:ID, local-dir:PATH, a weight file with --arch, "
        "py:MODULE:FUNCTION, or demo:NAME. Several give a table that compares them.",
        show_default=False,
    ),
]


def diagnose(
    models: ModelArgument,
    baseline: BaselineOption = "auto",
    id_test: IdOption = None,
    near: NearOption = None,
    far: FarOption = None,
    fit: Annotated[
        str | None,
        typer.Option(
            "--train",
            "--fit",
            metavar="SET",
            help="ID training images, for scorers that learn; none leaves out a benchmark's own.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ] = None,
    val: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="ID validation images; by default a benchmark's own, or a share of --train.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ] = None,
    tune: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SET",
            help="OOD images that are in no test set, to choose the scorers' settings on; repeatable; "
            "benchmark takes a benchmark's own.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ] = None,
    benchmark: BenchmarkOption = None,
    data_root: DataRootOption = None,
    limit: LimitOption = None,
    scorer: ScorerOption = None,
    mixed: Annotated[
        bool,
        typer.Option(
            "--mixed", help="Run mixed images too: the maximal logit between ID and OOD, by how much of a second image is mixed in."
        ),
    ] = False,
    preset: PresetOption = Preset.openood,
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
            "--output",
            "-o",
            parser=path_given,
            metavar="DIR",
            help="Folder for result.json; by default oodkit-runs/diagnose-NNN.",
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
    """Diagnose pretrained classifiers: maximal-logit shift, AUROC and FPR@95 of every scorer, a verdict and what to do.

    Examples:

    oodkit diagnose demo:digits-v2 --id demo:digits --near unseen=demo:digits-unseen --train demo:digits:train

    oodkit diagnose resnet50.tv2_in1k --benchmark imagenet-1k --data-root /data/openood --report report.html
    """
    from oodkit.cli.diagnosing import run, show
    from oodkit.cli.formats import chosen
    from oodkit.cli.inputs import BENCHMARK, Running, SetNames
    from oodkit.cli.loading import load_subjects, loading_of
    from oodkit.cli.request import Request
    from oodkit.cli.runs import require_writable
    from oodkit.cli.several import told_once

    with told_once():
        require_writable(report, output)
        form = chosen(format_, json_)
    loading = loading_of(arch, checkpoint, input_size, mean, std, model_arg, allow_pickle=allow_pickle)
    running = Running(
        device=device, dtype=dtype.value, batch_size=batch_size_of(batch_size), workers=workers, cache=cache, quiet=quiet
    )
    names = SetNames(
        id_test=id_test,
        near=named_pairs("--near", near or []),
        far=named_pairs("--far", far or []),
        fit=fit,
        val=val,
        benchmark=benchmark,
        data_root=data_root,
        limit=limit,
        tune=named_pairs("--tune", [text for text in tune or [] if text != BENCHMARK]),
        tune_benchmark=BENCHMARK in (tune or []),
    )
    with told_once():
        subjects = load_subjects(models, baseline, loading)
    request = Request(
        subjects,
        names,
        loading,
        running,
        scorers=scorer or [],
        preset=preset.value,
        seed=seed,
        baseline=baseline,
        thumbnails=thumbnails,
    )
    finished = run(request, mixed=mixed)
    show(finished, report=report, output=output, form=form, quiet=quiet)
