"""Options that the commands share that train. None stands for what was not said: the recipe's, or else the default."""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from oodkit.cli.options import MODEL, SETS, SHOWS
from oodkit.errors import UsageError

TRAINING = "The training"
SYNTHETIC = "Synthetic images (SIO)"


class OptimizerName(StrEnum):
    """What ``--optimizer`` takes."""

    sgd = "sgd"
    adamw = "adamw"


class AmpName(StrEnum):
    """What ``--amp`` takes."""

    no = "no"
    bf16 = "bf16"
    fp16 = "fp16"


class StemName(StrEnum):
    """What ``--stem`` takes."""

    auto = "auto"
    small = "small"
    own = "own"


RecipeOption = Annotated[
    str,
    typer.Option(
        metavar="NAME[:k=v]",
        help="How to train, such as v1, mixup:alpha=0.4 or augrevise; oodkit list recipes shows all.",
        rich_help_panel=TRAINING,
    ),
]
DataOption = Annotated[
    str, typer.Option(metavar="SET", help="Training images with labels.", show_default=False, rich_help_panel=SETS)
]
ValOption = Annotated[
    str | None,
    typer.Option(
        metavar="SET",
        help="Validation images with labels: the accuracy on them is told after every epoch, and best.safetensors is kept by it.",
        show_default=False,
        rich_help_panel=SETS,
    ),
]
OutliersOption = Annotated[
    str | None,
    typer.Option(
        metavar="SET",
        help="Images of none of the classes, for recipes that train with such.",
        show_default=False,
        rich_help_panel=SETS,
    ),
]
MixingOption = Annotated[
    str | None,
    typer.Option(
        metavar="SET", help="Images without objects, for recipes that mix them in.", show_default=False, rich_help_panel=SETS
    ),
]
SyntheticOption = Annotated[
    str | None,
    typer.Option(
        metavar="SET",
        help="Generated images of the same classes, which each batch holds beside the real ones: class folders, or images.npy with "
        "labels.npy beside it.",
        show_default=False,
        rich_help_panel=SYNTHETIC,
    ),
]
AlphaOption = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE",
        help="Share of real images in each batch, by default 0.8; naive takes the share that merging both sets would give.",
        show_default=False,
        rich_help_panel=SYNTHETIC,
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Passes over the real images, by default 100, or 90 above 64 pixels.",
        show_default=False,
        rich_help_panel=TRAINING,
    ),
]
LrOption = Annotated[
    float | None,
    typer.Option(help="Largest learning rate, by default 0.1, or 1e-3 with adamw.", show_default=False, rich_help_panel=TRAINING),
]
TrainBatchOption = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        "-b",
        min=2,
        help="Images a process in each step, by default 128, or 256 above 64 pixels.",
        show_default=False,
        rich_help_panel=TRAINING,
    ),
]
WeightDecayOption = Annotated[
    float | None,
    typer.Option(help="By default 5e-4, or the recipe's; 0.05 with adamw.", show_default=False, rich_help_panel=TRAINING),
]
OptimizerOption = Annotated[
    OptimizerName | None, typer.Option(help="By default sgd.", show_default=False, rich_help_panel=TRAINING)
]
WarmupOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Epochs in which the learning rate rises, by default 0, or the recipe's.",
        show_default=False,
        rich_help_panel=TRAINING,
    ),
]
EmaOption = Annotated[
    bool | None,
    typer.Option(
        "--ema/--no-ema",
        help="Keep an average of the weights, which then is the trained network.",
        show_default=False,
        rich_help_panel=TRAINING,
    ),
]
AmpOption = Annotated[
    AmpName | None,
    typer.Option(help="Half precision where it is safe; by default no.", show_default=False, rich_help_panel=TRAINING),
]
FlipOption = Annotated[
    bool | None,
    typer.Option("--flip/--no-flip", help="Mirror images at random, by default yes.", show_default=False, rich_help_panel=TRAINING),
]
AugDeleteOption = Annotated[
    bool | None,
    typer.Option(
        "--augdelete/--no-augdelete",
        help="Refit the last layer afterwards by plain cross-entropy; by default where the recipe does.",
        show_default=False,
        rich_help_panel=TRAINING,
    ),
]
StemOption = Annotated[
    StemName,
    typer.Option(
        help="The first layers: small is a 3 × 3 convolution without pooling, own the architecture's; auto takes small up to 64 "
        "pixels.",
        rich_help_panel=MODEL,
    ),
]
TensorboardOption = Annotated[bool, typer.Option("--tensorboard", help="Write the log for TensorBoard too.", rich_help_panel=SHOWS)]


def given_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those that were said, with plain text for choices. Raises UsageError for a number that is not finite."""
    for name, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"--{name.replace('_', '-')} takes a finite number, got {value}")
    return {name: str(value) if isinstance(value, str) else value for name, value in settings.items() if value is not None}
