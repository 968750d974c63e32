"""``oodkit ablate``: one recipe at a time, over several seeds, each before and after AugDelete."""

from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import (
    SETS,
    SHOWS,
    CompareFormatOption,
    DeviceOption,
    FarOption,
    IdOption,
    InputSizeOption,
    JsonOption,
    LimitOption,
    MeanOption,
    ModelArgOption,
    NearOption,
    QuietOption,
    ReportOption,
    StdOption,
    WorkersOption,
    named_pairs,
    path_given,
)
from oodkit.cli.training_options import (
    TRAINING,
    AlphaOption,
    AmpOption,
    DataOption,
    EmaOption,
    EpochsOption,
    FlipOption,
    LrOption,
    MixingOption,
    OptimizerOption,
    OutliersOption,
    StemName,
    StemOption,
    SyntheticOption,
    TensorboardOption,
    TrainBatchOption,
    WarmupOption,
    WeightDecayOption,
)
from oodkit.errors import UsageError

MOST_SEEDS = 1000


def recipes_of(text: str) -> list[str]:
    """``v1,cutmix:alpha=1,prob=0.5`` as specs: what has a value and no name belongs to the recipe before it.

    Raises UsageError where there is nothing between two commas.
    """
    specs: list[str] = []
    for part in text.split(","):
        if not part.strip():
            expected = "give recipes with a comma between two, as v1,mixup:alpha=1"
            raise UsageError(f"--recipes {text!r} has an empty place for a recipe: {expected}")
        if specs and "=" in part and ":" not in part.partition("=")[0]:
            specs[-1] += f",{part}"
        else:
            specs.append(part)
    return specs


def seeds_of(text: str) -> list[int]:
    """``5`` as 0 to 4, and ``0,7`` as these. Raises typer.BadParameter for anything else."""
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isascii() and part.isdecimal() and len(part) < 10]
    if len(numbers) < len(parts) or (len(parts) == 1 and not 0 < numbers[0] <= MOST_SEEDS):
        expected = f"how many, 1 to {MOST_SEEDS}, or which: 0,1,2"
        raise typer.BadParameter(f"{text!r} tells no seeds: give {expected}", param_hint="--seeds")
    return list(range(numbers[0])) if len(parts) == 1 else numbers


def ablate(
    arch: Annotated[
        str,
        typer.Argument(metavar="ARCH", help="A timm architecture, such as resnet18, or torchvision:NAME.", show_default=False),
    ],
    recipes: Annotated[
        str,
        typer.Option(
            metavar="NAME[:k=v],…",
            help="Recipes to train with, one at a time; v1, plain cross-entropy, always is one. oodkit list recipes shows all.",
            show_default=False,
            rich_help_panel=TRAINING,
        ),
    ],
    data: DataOption,
    id_test: IdOption = None,
    near: NearOption = None,
    far: FarOption = None,
    val: Annotated[
        str | None,
        typer.Option(
            metavar="SET",
            help="Validation images with labels: the accuracy on them is in each training's log, and AugDelete chooses its "
            "strength by them.",
            show_default=False,
            rich_help_panel=SETS,
        ),
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(metavar="N|S,S…", help="How many seeds, from 0 on, or which: 0,1,2.", rich_help_panel=TRAINING),
    ] = "3",
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            "--scorer",
            metavar="NAME[:k=v]",
            help="Scorers to judge by beside mls, repeatable; by default knn and nnguide.",
            show_default=False,
        ),
    ] = None,
    synthetic: SyntheticOption = None,
    alpha: AlphaOption = None,
    outliers: OutliersOption = None,
    mixing: MixingOption = None,
    limit: LimitOption = None,
    epochs: EpochsOption = None,
    batch_size: TrainBatchOption = None,
    lr: LrOption = None,
    weight_decay: WeightDecayOption = None,
    optimizer: OptimizerOption = None,
    warmup: WarmupOption = None,
    ema: EmaOption = None,
    flip: FlipOption = None,
    amp: AmpOption = None,
    input_size: InputSizeOption = None,
    stem: StemOption = StemName.auto,
    mean: MeanOption = None,
    std: StdOption = None,
    model_arg: ModelArgOption = None,
    report: ReportOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=path_given,
            metavar="DIR",
            help="Folder for result.json and the trials, each a training run; by default that of the same ablation where there is "
            "one, else oodkit-runs/ablate-NNN.",
            show_default=False,
            rich_help_panel=SHOWS,
        ),
    ] = None,
    tensorboard: TensorboardOption = False,
    form: CompareFormatOption = None,
    json_: JsonOption = False,
    quiet: QuietOption = False,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
) -> None:
    """Train a network with one recipe at a time, over several seeds, and judge each before and after AugDelete.

    Options of training hold for every recipe; where none is given, a recipe trains as it is meant to. The same command again goes
    on where it stopped, and more recipes or seeds are trained beside those that are there.

    Examples:

    oodkit ablate test_resnet --recipes label-smoothing,mixup,augrevise --data demo:digits:train --input-size 32 --no-flip

    oodkit ablate resnet18 --recipes mixup:alpha=1,v2 --data train --id test --near cats=cats --far noise=noise -o ablation
    """
    from oodkit.cli.ablating import Asked, carry_out_ablation
    from oodkit.cli.formats import chosen
    from oodkit.cli.loading import loading_of
    from oodkit.cli.training import Job

    settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "weight_decay": weight_decay,
        "optimizer": optimizer,
        "warmup": warmup,
        "ema": ema,
        "flip": flip,
        "amp": amp,
    }
    loading = loading_of(None, None, input_size, mean, std, model_arg, allow_pickle=False)
    job = Job(
        recipe="v1",
        data=data,
        val=val,
        synthetic=synthetic,
        alpha=alpha,
        outliers=outliers,
        mixing=mixing,
        limit=limit,
        stem=stem.value,
        loading=loading,
        device=device,
        workers=workers,
        settings=settings,
    )
    asked = Asked(
        arch=arch,
        recipes=recipes_of(recipes),
        seeds=seeds_of(seeds),
        scorers=scorer or None,
        id_test=id_test,
        near=named_pairs("--near", near or []),
        far=named_pairs("--far", far or []),
        tensorboard=tensorboard,
    )
    carry_out_ablation(asked, job, output, report=report, form=chosen(form, json_), quiet=quiet)
