"""``oodkit synth quality``: how good synthetic images are, in the features of a classifier, beside real ones against real ones."""

from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import (
    MODEL,
    SETS,
    SHOWS,
    AllowPickleOption,
    ArchOption,
    BatchSizeOption,
    CacheOption,
    CheckpointOption,
    CompareFormatOption,
    DeviceOption,
    InputSizeOption,
    JsonOption,
    LimitOption,
    MeanOption,
    ModelArgOption,
    QuietOption,
    ReportOption,
    SeedOption,
    StdOption,
    WorkersOption,
    batch_size_of,
    path_given,
)

SAMPLES = 8


def quality(
    real: Annotated[
        str,
        typer.Option(
            metavar="SET",
            help="Real images of the same classes: those that the generator learnt from.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ],
    synthetic: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]SET",
            help="Synthetic images, such as a folder of oodkit synth; repeatable, to rank several.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ],
    more: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]SET",
            help="More synthetic images, as a shell makes of --synthetic sets/*.",
            show_default=False,
        ),
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="Real images that no generator has seen, to tell by whether one copies; by default half of the real ones.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Images of each set to compare; by default as many as every set and half of the real one have, at most 10,000.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ] = None,
    limit: LimitOption = None,
    extractor: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Classifier in whose features all is measured, or inception[:FILE]; by default the one diagnosed last.",
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
    report: ReportOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            parser=path_given,
            help="Folder for result.json; by default oodkit-runs/quality-NNN.",
            show_default=False,
            rich_help_panel=SHOWS,
        ),
    ] = None,
    samples: Annotated[
        int,
        typer.Option(
            min=0,
            max=100,
            metavar="N",
            help="Small copies of N images a class and set, for the report; 0 where images are private: none is then written.",
            rich_help_panel=SHOWS,
        ),
    ] = SAMPLES,
    form: CompareFormatOption = None,
    json_: JsonOption = False,
    quiet: QuietOption = False,
    device: DeviceOption = "auto",
    batch_size: BatchSizeOption = "auto",
    workers: WorkersOption = None,
    cache: CacheOption = None,
    seed: SeedOption = 0,
) -> None:
    """Measure synthetic images against real ones, and rank generators: distances, coverage, labels, copies.

    Examples:

    oodkit synth quality --real demo:digits:train --synthetic digits-synth --extractor demo:digits-v1

    oodkit synth quality --real train --synthetic biggan=sets/biggan --synthetic dit=sets/dit --held-out val --report report.html
    """
    from oodkit.cli.assessing import Asked, carry_out_quality
    from oodkit.cli.formats import chosen
    from oodkit.cli.loading import loading_of
    from oodkit.cli.several import require_alone, told_once

    with told_once():
        require_alone("synth quality")
    loading = loading_of(arch, checkpoint, input_size, mean, std, model_arg, allow_pickle=allow_pickle)
    asked = Asked(
        real=real,
        synthetic=[*synthetic, *(more or [])],
        held_out=held_out,
        count=count,
        limit=limit,
        extractor=extractor,
        loading=loading,
        samples=samples,
        device=device,
        batch_size=batch_size_of(batch_size),
        workers=workers,
        cache=cache,
        seed=seed,
        quiet=quiet,
    )
    carry_out_quality(asked, report=report, output=output, form=chosen(form, json_))
