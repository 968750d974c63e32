"""``oodkit train``: a network trained from scratch with a named recipe."""

from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import (
    SHOWS,
    DeviceOption,
    InputSizeOption,
    JsonOption,
    LimitOption,
    MeanOption,
    ModelArgOption,
    QuietOption,
    SeedOption,
    StdOption,
    WorkersOption,
    path_given,
)
from oodkit.cli.training_options import (
    AlphaOption,
    AmpOption,
    AugDeleteOption,
    DataOption,
    EmaOption,
    EpochsOption,
    FlipOption,
    LrOption,
    MixingOption,
    OptimizerOption,
    OutliersOption,
    RecipeOption,
    StemName,
    StemOption,
    SyntheticOption,
    TensorboardOption,
    TrainBatchOption,
    ValOption,
    WarmupOption,
    WeightDecayOption,
)


def train(
    arch: Annotated[
        str,
        typer.Argument(metavar="ARCH", help="A timm architecture, such as resnet18, or torchvision:NAME.", show_default=False),
    ],
    data: DataOption,
    recipe: RecipeOption = "v1",
    val: ValOption = None,
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
    augdelete: AugDeleteOption = None,
    input_size: InputSizeOption = None,
    stem: StemOption = StemName.auto,
    mean: MeanOption = None,
    std: StdOption = None,
    model_arg: ModelArgOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=path_given,
            metavar="DIR",
            help="Folder of the run; by default that of the same run where there is one, else oodkit-runs/train-NNN.",
            show_default=False,
            rich_help_panel=SHOWS,
        ),
    ] = None,
    tensorboard: TensorboardOption = False,
    json_: JsonOption = False,
    quiet: QuietOption = False,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    seed: SeedOption = 0,
) -> None:
    """Train a network from scratch. The same command again goes on where the run stopped.

    Examples:

    oodkit train resnet18 --data torch:cifar10:train --input-size 32

    oodkit train resnet18 --recipe augrevise --data photos/train --val photos/val --synthetic made --alpha 0.8

    torchrun --nproc-per-node 8 -m oodkit train resnet50 --data imagenet/train --val imagenet/val --amp bf16 -o run
    """
    from oodkit.cli.loading import loading_of
    from oodkit.cli.training import Job, carry_out_job

    loading = loading_of(None, None, input_size, mean, std, model_arg, allow_pickle=False)
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
        "augdelete": augdelete,
        "seed": seed,
    }
    job = Job(
        recipe=recipe,
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
    carry_out_job("train", arch, job, output, tensorboard=tensorboard, as_json=json_, quiet=quiet)
