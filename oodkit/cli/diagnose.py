"""``oodkit diagnose``: how well a classifier notices images from outside its classes, and why it doesn't."""

import math
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from oodkit.cli.options import (
    THUMBNAILS,
    BatchSizeOption,
    CacheOption,
    DataRootOption,
    DeviceOption,
    DtypeName,
    DtypeOption,
    FormatOption,
    JsonOption,
    Preset,
    QuietOption,
    SeedOption,
    ThumbnailsOption,
    WorkersOption,
    named_pairs,
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
SETS = "Images"
MODEL = "The model"
SHOWS = "What it shows"


def diagnose(
    models: ModelArgument,
    baseline: Annotated[
        str, typer.Option(help="Model to hold the maximal logit against; auto finds the plain sibling recipe, none leaves it out.")
    ] = "auto",
    id_test: Annotated[
        str | None,
        typer.Option("--id", metavar="SET", help="In-distribution test images.", show_default=False, rich_help_panel=SETS),
    ] = None,
    near: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SET", help="Near-OOD images; repeatable.", show_default=False, rich_help_panel=SETS),
    ] = None,
    far: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SET", help="Far-OOD images; repeatable.", show_default=False, rich_help_panel=SETS),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
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
            help="ID validation images; by default a benchmark's own, or a share of --fit.",
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
    benchmark: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="All sets of an OpenOOD benchmark at once: cifar10, cifar100, imagenet-200, imagenet-1k.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ] = None,
    data_root: DataRootOption = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many images of each set, evenly spread.", show_default=False, rich_help_panel=SETS),
    ] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            "--scorer",
            metavar="NAME[:k=v]",
            help="Scorers to try, repeatable; by default all that live on one forward pass.",
            show_default=False,
        ),
    ] = None,
    mixed: Annotated[
        bool,
        typer.Option(
            "--mixed", help="Run mixed images too: the maximal logit between ID and OOD, by how much of a second image is mixed in."
        ),
    ] = False,
    preset: Annotated[Preset, typer.Option(help="Hyper-parameters: OpenOOD v1.5's or the papers' own.")] = Preset.openood,
    arch: Annotated[
        str | None,
        typer.Option(help="Architecture of a weight file (timm or torchvision).", show_default=False, rich_help_panel=MODEL),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Weights for a py: network.", show_default=False, rich_help_panel=MODEL)
    ] = None,
    input_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Side of the square input in pixels; or height,width; or channels,height,width.",
            show_default=False,
            rich_help_panel=MODEL,
        ),
    ] = None,
    mean: Annotated[
        str | None, typer.Option(help="Channel means, e.g. 0.485,0.456,0.406.", show_default=False, rich_help_panel=MODEL)
    ] = None,
    std: Annotated[str | None, typer.Option(help="Channel standard deviations.", show_default=False, rich_help_panel=MODEL)] = None,
    model_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="K=V", help="Passed to the model's constructor; repeatable.", show_default=False, rich_help_panel=MODEL
        ),
    ] = None,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle", help="Load pickled objects, which can run code. Only for files you trust.", rich_help_panel=MODEL
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Write the report, one self-contained file.", show_default=False, rich_help_panel=SHOWS
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
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

    oodkit diagnose demo:digits-v2 --id demo:digits --near unseen=demo:digits-unseen --fit demo:digits:train

    oodkit diagnose resnet50.tv2_in1k --benchmark imagenet-1k --data-root /data/openood --report report.html
    """
    from oodkit.cli.diagnosing import run, show
    from oodkit.cli.formats import chosen
    from oodkit.cli.inputs import BENCHMARK, Running, SetNames
    from oodkit.cli.loading import Loading, load_subjects
    from oodkit.cli.runs import require_writable

    require_writable(report, output)
    form = chosen(format_, json_)

    size = _numbers("--input-size", input_size, int)
    square = size * 2 if size is not None and len(size) == 1 else size
    scaling = _numbers("--mean", mean, float), _numbers("--std", std, float)
    loading = Loading(arch, checkpoint, square, *scaling, _keyed(model_arg or []), allow_pickle)
    running = Running(device, dtype.value, None if batch_size == "auto" else int(batch_size), workers, cache, quiet)
    named = named_pairs("--near", near or []), named_pairs("--far", far or [])
    own = named_pairs("--tune", [text for text in tune or [] if text != BENCHMARK])
    names = SetNames(id_test, *named, fit, val, benchmark, data_root, limit, own, BENCHMARK in (tune or []))
    subjects = load_subjects(models, baseline, loading)
    finished = run(
        subjects,
        names,
        running,
        scorers=scorer or [],
        preset=preset.value,
        seed=seed,
        loading=loading,
        baseline=baseline,
        mixed=mixed,
        thumbnails=thumbnails,
    )
    show(finished, report=report, output=output, form=form, quiet=quiet)


Number = TypeVar("Number", int, float)


def _numbers(option: str, text: str | None, kind: type[Number]) -> tuple[Number, ...] | None:
    """One to three numbers separated by commas."""
    if text is None:
        return None
    try:
        values = tuple(kind(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not 1 <= len(values) <= 3 or not all(map(math.isfinite, values)):
        raise typer.BadParameter(f"{text!r} is not one to three numbers separated by commas", param_hint=option)
    if option != "--mean" and min(values) <= 0:
        raise typer.BadParameter(f"{text!r} must lie above 0", param_hint=option)
    return values


def _keyed(texts: list[str]) -> dict[str, Any]:
    """``k=v`` texts, with numbers, booleans and lists read as Python writes them and anything else as text."""
    import ast

    arguments: dict[str, Any] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not (key and separator):
            raise typer.BadParameter(f"{text!r} is not K=V", param_hint="--model-arg")
        try:
            arguments[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            arguments[key] = value
        _require_storable(text, arguments[key])
    return arguments


def _require_storable(text: str, value: object) -> None:
    """The result names every argument, as JSON: what that can't hold is refused before there is a result to lose."""
    import json

    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        expected = "expected text, a finite number, True, False, None, or a list or dict of these"
        raise typer.BadParameter(f"{text!r} can't stand in the result; {expected}", param_hint="--model-arg") from error
