"""``oodkit finetune``: a training that starts from the weights of a checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import (
    SHOWS,
    AllowPickleOption,
    ArchOption,
    CheckpointOption,
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
    TRAINING,
    AlphaOption,
    AmpOption,
    AugDeleteOption,
    DataOption,
    EmaOption,
    FlipOption,
    MixingOption,
    OptimizerOption,
    OutliersOption,
    RecipeOption,
    SyntheticOption,
    TensorboardOption,
    TrainBatchOption,
    ValOption,
    WarmupOption,
    WeightDecayOption,
)


def finetune(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="As in diagnose: a timm name, torchvision:ARCH/WEIGHTS, hf-hub:ID, local-dir:PATH, a weight file with --arch, or "
            "demo:NAME.",
            show_default=False,
        ),
    ],
    data: DataOption,
    recipe: RecipeOption = "v1",
    val: ValOption = None,
    synthetic: SyntheticOption = None,
    alpha: AlphaOption = None,
    outliers: OutliersOption = None,
    mixing: MixingOption = None,
    limit: LimitOption = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the real images, by default 10.", show_default=False, rich_help_panel=TRAINING),
    ] = None,
    batch_size: TrainBatchOption = None,
    lr: Annotated[
        float | None,
        typer.Option(
            help="Largest learning rate, by default 0.01, or 1e-4 with adamw.", show_default=False, rich_help_panel=TRAINING
        ),
    ] = None,
    weight_decay: WeightDecayOption = None,
    optimizer: OptimizerOption = None,
    warmup: WarmupOption = None,
    ema: EmaOption = None,
    flip: FlipOption = None,
    amp: AmpOption = None,
    augdelete: AugDeleteOption = None,
    arch: ArchOption = None,
    checkpoint: CheckpointOption = None,
    input_size: InputSizeOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    model_arg: ModelArgOption = None,
    allow_pickle: AllowPickleOption = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=path_given,
            metavar="DIR",
            help="Folder of the run; by default that of the same run where there is one, else oodkit-runs/finetune-NNN.",
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
    """Train on from a checkpoint's weights. The same command again goes on where the run stopped.

    Where the images are of the checkpoint's classes its last layer is kept, else it begins anew. By default 10 epochs with a
    learning rate of at most 0.01.

    Examples:

    oodkit finetune resnet50.tv2_in1k --data photos/train --val photos/val

    oodkit finetune local-dir:oodkit-runs/train-001 --data photos/train --synthetic made --alpha 0.9 --epochs 5
    """
    from oodkit.cli.loading import loading_of
    from oodkit.cli.training import Job, carry_out_job

    loading = loading_of(arch, checkpoint, input_size, mean, std, model_arg, allow_pickle=allow_pickle)
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
        stem="auto",
        loading=loading,
        device=device,
        workers=workers,
        settings=settings,
    )
    carry_out_job("finetune", model, job, output, tensorboard=tensorboard, as_json=json_, quiet=quiet)
