"""``oodkit score``: a detector on any number of images, a row each."""

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import (
    MODEL,
    AllowPickleOption,
    ArchOption,
    BatchSizeOption,
    CheckpointOption,
    DeviceOption,
    DtypeName,
    DtypeOption,
    InputSizeOption,
    MeanOption,
    ModelArgOption,
    StdOption,
    WorkersOption,
    batch_size_of,
)
from oodkit.errors import UsageError


class RowFormat(StrEnum):
    """What ``--format`` of ``score`` takes."""

    csv = "csv"
    jsonl = "jsonl"


class Status(StrEnum):
    """What is found of an image; ``--only`` takes it."""

    in_ = "in"
    out = "out"
    unreadable = "unreadable"


def score(
    detector: Annotated[
        Path, typer.Argument(metavar="DETECTOR", help="A detector.safetensors that oodkit wrote.", show_default=False)
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGES…",
            help="Image files, folders, image lists (.txt), other image sets; - reads a list of paths on stdin.",
            show_default=False,
        ),
    ],
    form: Annotated[RowFormat, typer.Option("--format", help="The form of the rows.")] = RowFormat.csv,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the rows to this file instead of stdout; until all are there it is called FILE.partial.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        list[Status] | None,
        typer.Option(
            metavar="STATUS",
            help="Write only rows that are in, out or unreadable; repeatable. All images are scored and counted.",
            show_default=False,
        ),
    ] = None,
    fail_over: Annotated[
        float | None,
        typer.Option(
            "--fail-over",
            metavar="RATE",
            min=0,
            max=1,
            help="Exit with code 4 where more than this share of the images that could be read is out.",
            show_default=False,
        ),
    ] = None,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="The list on stdin has a null byte after each path, as find -print0 writes it.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Load the network by this name instead of the one in the detector: for py: networks, and for weights that have "
            "moved. Other weights are refused.",
            show_default=False,
            rich_help_panel=MODEL,
        ),
    ] = None,
    arch: ArchOption = None,
    checkpoint: CheckpointOption = None,
    input_size: InputSizeOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    model_arg: ModelArgOption = None,
    allow_pickle: AllowPickleOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Neither progress nor the closing summary.")] = False,
    device: DeviceOption = "auto",
    dtype: DtypeOption = DtypeName.auto,
    batch_size: BatchSizeOption = "auto",
    workers: WorkersOption = None,
) -> None:
    """Score images with a detector: for each its class, score, p-value, and whether it is in- or out-of-distribution.

    Examples:

    oodkit score detector.safetensors photos/ > rows.csv

    find /incoming -name '*.jpg' -print0 | oodkit score detector.safetensors - -0 --format jsonl --only out

    oodkit score detector.safetensors batch-17/ -o rows.csv --fail-over 0.1
    """
    from oodkit.cli.inputs import Running
    from oodkit.cli.loading import loading_of
    from oodkit.cli.rows import RowWriter
    from oodkit.cli.runs import require_writable_file
    from oodkit.cli.scoring import conclude, load_detector, open_sources, require_no_input, require_stdout, write_rows

    if fail_over is not None and math.isnan(fail_over):  # which older versions of typer find in every range
        raise UsageError("--fail-over takes a share, 0 to 1, got nan")
    if output is None:
        require_stdout()
    else:
        require_writable_file(output, "--output")
        require_no_input(output, [detector, *images, model, checkpoint])
    loading = loading_of(arch, checkpoint, input_size, mean, std, model_arg, allow_pickle=allow_pickle)
    running = Running(device=device, dtype=dtype.value, batch_size=batch_size_of(batch_size), workers=workers, quiet=quiet)
    stream = open_sources(images, null=null)
    loaded = load_detector(detector, model, loading)
    tally = write_rows(loaded, stream, RowWriter(form, output), only or list(Status), running)
    if output is not None:
        typer.echo(output)
    conclude(tally, fail_over, quiet=quiet)
