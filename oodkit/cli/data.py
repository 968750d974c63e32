"""``oodkit data``: are a benchmark's images where they should be?"""

import json
from dataclasses import asdict
from itertools import chain
from typing import Annotated

import typer

from oodkit.cli.options import DataRootOption, JsonOption
from oodkit.errors import UsageError
from oodkit.wording import printable

app = typer.Typer(help="Check the image sets of a benchmark.", no_args_is_help=True)


@app.callback()  # without it typer would make the one command the whole, and its name an argument
def _data() -> None:
    """Check the image sets of a benchmark."""


@app.command("check")
def check(
    benchmark: Annotated[
        list[str] | None, typer.Argument(help="cifar10, cifar100, imagenet-200 or imagenet-1k; by default all.", show_default=False)
    ] = None,
    data_root: DataRootOption = None,
    verify: Annotated[bool, typer.Option("--verify", help="Decode every image, to find those that can't be read.")] = False,
    json_: JsonOption = False,
) -> None:
    """Say of each image set: found or not, how many images there should be, how many there are, how many can't be read."""
    from oodkit.benchmarks import BENCHMARKS, check_benchmark

    if data_root is None:
        raise UsageError("no folder to look in: give --data-root DIR or set OODKIT_DATA")
    rows = chain.from_iterable([check_benchmark(name, data_root, verify=verify) for name in benchmark or BENCHMARKS])
    if json_:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=1))
        return
    for row in rows:  # each as soon as it is known: to decode a million images takes hours
        typer.echo(printable(str(row)))
