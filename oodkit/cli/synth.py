"""``oodkit synth``: class-labelled synthetic images; its subcommands train a generator and tell how good its images are."""

from difflib import get_close_matches
from typing import Any

import typer

from oodkit.cli import synth_fit, synth_quality
from oodkit.cli.choices import Commands
from oodkit.cli.options import BatchSizeOption, DeviceOption, JsonOption, QuietOption, SeedOption
from oodkit.cli.synth_options import (
    ClassesOption,
    CountOption,
    GeneratorArgOption,
    GeneratorOption,
    JpegQualityOption,
    KeepAgreeingOption,
    LabelWithOption,
    LikeOption,
    MinConfidenceOption,
    PerClassOption,
    SaveFormat,
    SaveFormatOption,
    SizeOption,
    SynthOutputOption,
    TrustOption,
)
from oodkit.errors import UsageError


class Synth(Commands):
    """The command with its subcommands: a word that is none of them probably is a generator."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            near = get_close_matches(args[0], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"a generator is given as --model {args[0]}"
            raise UsageError(f"{args[0]!r} is no subcommand of synth ({', '.join(known)}); {hint}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Synth,
    invoke_without_command=True,
    no_args_is_help=True,
    subcommand_metavar="[COMMAND …]",
)
app.command("fit")(synth_fit.fit)
app.command("quality")(synth_quality.quality)


@app.callback()
def synth(
    ctx: typer.Context,
    model: GeneratorOption = None,
    classes: ClassesOption = None,
    like: LikeOption = None,
    per_class: PerClassOption = None,
    count: CountOption = None,
    label_with: LabelWithOption = None,
    min_confidence: MinConfidenceOption = 0.0,
    keep_agreeing: KeepAgreeingOption = False,
    size: SizeOption = None,
    save_format: SaveFormatOption = SaveFormat.png,
    quality: JpegQualityOption = None,
    generator_arg: GeneratorArgOption = None,
    trust_remote_code: TrustOption = False,
    output: SynthOutputOption = None,
    json_: JsonOption = False,
    quiet: QuietOption = False,
    batch_size: BatchSizeOption = "auto",
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
) -> None:
    """Make synthetic images of your classes, labelled, to train with. The same command again goes on where it stopped.

    Examples:

    oodkit synth --model biggan --classes 207,tench --per-class 500 -o made

    oodkit synth --model my-generator --per-class 1000

    oodkit synth --model ddpm-cifar10 --count 5000 --label-with cifar10.safetensors --min-confidence 0.9
    """
    if ctx.invoked_subcommand is not None:
        _refuse_options_before(ctx)
        return
    if model is None:
        raise UsageError("no generator: give --model NAME, one of oodkit list generators or the folder of oodkit synth fit")
    from oodkit.cli.synthesizing import Wanted, carry_out_wanted

    wanted = Wanted(
        model=model,
        classes=classes,
        like=like,
        per_class=per_class,
        count=count,
        label_with=label_with,
        min_confidence=min_confidence,
        keep_agreeing=keep_agreeing,
        size=size,
        save_format=save_format.value,
        quality=quality,
        arguments=generator_arg or [],
        trust_remote_code=trust_remote_code,
        batch_size=batch_size,
        device=device,
        seed=seed,
    )
    carry_out_wanted(wanted, output, as_json=json_, quiet=quiet)


def _refuse_options_before(ctx: Any) -> None:
    """Options of synth that stand before a subcommand would be dropped: a subcommand has its own."""
    given = [one.opts[0] for one in ctx.command.params if _is_typed(ctx, one.name)]
    if given:
        word = ctx.invoked_subcommand
        verb = "belongs" if len(given) == 1 else "belong"
        raise UsageError(f"{', '.join(given)} before {word} {verb} to oodkit synth itself: options of {word} stand after its name")


def _is_typed(ctx: Any, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
