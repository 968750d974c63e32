"""``oodkit synth fit``: a small generator trained on the user's own images."""

from typing import Annotated

import typer

from oodkit.cli.options import (
    DeviceOption,
    JsonOption,
    LimitOption,
    QuietOption,
    SeedOption,
    WorkersOption,
)
from oodkit.cli.synth_options import GENERATOR, FitOutputOption
from oodkit.cli.training_options import TRAINING, AmpName, DataOption, TensorboardOption


def fit(
    data: DataOption,
    size: Annotated[
        int | None,
        typer.Option(
            min=4,
            metavar="SIDE",
            help="Side of the images that it makes, in pixels; by default that of the training images.",
            show_default=False,
            rich_help_panel=GENERATOR,
        ),
    ] = None,
    patch: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="SIDE",
            help="Side of the patches that the network takes for one pixel, by default 1 up to 16 pixels, 2 up to 64; larger ones "
            "are faster and learn far worse.",
            show_default=False,
            rich_help_panel=GENERATOR,
        ),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(
            min=8,
            metavar="N",
            help="Width of the network, a multiple of 8, by default by the size; more makes better images, slower.",
            show_default=False,
            rich_help_panel=GENERATOR,
        ),
    ] = None,
    limit: LimitOption = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Passes over the images, by default by their size and number.", show_default=False, rich_help_panel=TRAINING
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            "-b",
            min=1,
            help="Images a process in each step, by default 64.",
            show_default=False,
            rich_help_panel=TRAINING,
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(help="Largest learning rate, by default 1e-3.", show_default=False, rich_help_panel=TRAINING),
    ] = None,
    flip: Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip", help="Mirror images at random, by default yes.", show_default=False, rich_help_panel=TRAINING
        ),
    ] = None,
    amp: Annotated[
        AmpName | None,
        typer.Option(
            help="Half precision where it is safe; by default bf16 where the device multiplies it in hardware, else no.",
            show_default=False,
            rich_help_panel=TRAINING,
        ),
    ] = None,
    output: FitOutputOption = None,
    tensorboard: TensorboardOption = False,
    json_: JsonOption = False,
    quiet: QuietOption = False,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    seed: SeedOption = 0,
) -> None:
    """Train a small class-conditional diffusion model on your own images. The same command again goes on where it stopped.

    Examples:

    oodkit synth fit --data photos/train --size 32 -o photos-generator

    oodkit synth --model photos-generator --per-class 1000 -o made
    """
    from oodkit.cli.fitting import FitJob, carry_out_fit_job

    settings = {
        "size": size,
        "patch": patch,
        "channels": channels,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "flip": flip,
        "amp": amp,
        "seed": seed,
    }
    job = FitJob(data, limit, settings, device, workers, tensorboard)
    carry_out_fit_job(job, output, as_json=json_, quiet=quiet)
