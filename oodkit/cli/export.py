"""``oodkit export``: a classifier, its repaired head or a detector, in a form that goes elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import (
    AllowPickleOption,
    ArchOption,
    BatchSizeOption,
    CacheOption,
    CheckpointOption,
    DeviceOption,
    DtypeName,
    DtypeOption,
    InputSizeOption,
    MeanOption,
    ModelArgOption,
    Preset,
    PresetOption,
    QuietOption,
    SeedOption,
    StdOption,
    WorkersOption,
    batch_size_of,
    path_given,
)

DETECTOR = "A detector"
HUB = "The Hub"


class Form(StrEnum):
    """What ``--as`` takes."""

    head = "head"
    timm = "timm"
    state_dict = "state-dict"
    onnx = "onnx"
    detector = "detector"


def export(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="The network; by default that of the run made last, with the head of its last augdelete run, if there is one.",
            show_default=False,
        ),
    ] = None,
    head: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A head.safetensors of this very network, to put in its head's place.", show_default=False
        ),
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--as",
            help="The form; by default detector where --calibrate is given, else head.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=path_given,
            metavar="PATH",
            help="Where it goes: a folder for timm and state-dict, else a file; by default here, under the model's name.",
            show_default=False,
        ),
    ] = None,
    scorer: Annotated[
        str, typer.Option("--scorer", metavar="NAME[:k=v]", help="The scorer of the detector.", rich_help_panel=DETECTOR)
    ] = "mls",
    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="ID images that neither network nor scorer learnt from: the threshold is a rank among their scores.",
            show_default=False,
            rich_help_panel=DETECTOR,
        ),
    ] = None,
    alpha: Annotated[
        float,
        typer.Option(help="The share of ID images that the detector may take for OOD ones.", rich_help_panel=DETECTOR),
    ] = 0.05,
    train: Annotated[
        str | None,
        typer.Option(
            metavar="SET", help="ID training images, for a scorer that learns.", show_default=False, rich_help_panel=DETECTOR
        ),
    ] = None,
    val: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="ID validation images, for a scorer that learns from those; by default a tenth of --train.",
            show_default=False,
            rich_help_panel=DETECTOR,
        ),
    ] = None,
    preset: PresetOption = Preset.openood,
    push_to_hub: Annotated[
        str | None,
        typer.Option(
            "--push-to-hub",
            metavar="OWNER/NAME",
            help="Upload the export and its card to this repository of the Hugging Face Hub too.",
            show_default=False,
            rich_help_panel=HUB,
        ),
    ] = None,
    private: Annotated[
        bool,
        typer.Option(
            "--private/--public", help="Whether it is for you alone; --public shows it to everybody.", rich_help_panel=HUB
        ),
    ] = True,
    arch: ArchOption = None,
    checkpoint: CheckpointOption = None,
    input_size: InputSizeOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    model_arg: ModelArgOption = None,
    allow_pickle: AllowPickleOption = False,
    quiet: QuietOption = False,
    device: DeviceOption = "auto",
    dtype: DtypeOption = DtypeName.auto,
    batch_size: BatchSizeOption = "auto",
    workers: WorkersOption = None,
    cache: CacheOption = None,
    seed: SeedOption = 0,
) -> None:
    """Export a head, a whole network or a detector, each with a model card. Prints the paths that it wrote.

    Examples:

    oodkit export

    oodkit export resnet50.tv2_in1k --head head.safetensors --as timm -o resnet50-repaired

    oodkit export --scorer knn --train imagenet/train --calibrate imagenet/val -o detector.safetensors
    """
    from oodkit.cli.exporting import Wanted, carry_out
    from oodkit.cli.inputs import Running
    from oodkit.cli.loading import loading_of

    loading = loading_of(arch, checkpoint, input_size, mean, std, model_arg, allow_pickle=allow_pickle)
    running = Running(
        device=device, dtype=dtype.value, batch_size=batch_size_of(batch_size), workers=workers, cache=cache, quiet=quiet
    )
    wanted = Wanted(
        form=form or (Form.detector if calibrate is not None else Form.head),
        model=model,
        head=head,
        output=output,
        scorer=scorer,
        calibrate=calibrate,
        train=train,
        val=val,
        alpha=alpha,
        preset=preset.value,
        seed=seed,
        repository=push_to_hub,
        private=private,
    )
    carry_out(wanted, loading, running)
