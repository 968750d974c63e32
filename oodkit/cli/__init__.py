"""The command line: each command in a file of its own parses, calls the library and prints. The only package that knows typer."""

import errno
import os
import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli import (
    ablate,
    augdelete,
    cache,
    compare,
    data,
    demo,
    diagnose,
    env,
    export,
    finetune,
    listing,
    report,
    score,
    several,
    synth,
    train,
)
from oodkit.cli.choices import Commands
from oodkit.cli.ctrl_c import interrupts_noted
from oodkit.errors import OodkitError, UsageError
from oodkit.wording import in_short, printable

EPILOG = (
    "Exit codes: 0 done, 1 runtime error, 2 usage, 3 input or data error, 4 a gate failed, 130 interrupted. "
    "Results go to stdout, progress and hints to stderr."
)

app = typer.Typer(
    cls=Commands,
    name="oodkit",
    help="Will your pretrained image classifier notice images from outside its classes?",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("diagnose")(diagnose.diagnose)
app.command("score")(score.score)
app.command("export")(export.export)
app.command("augdelete")(augdelete.augdelete)
app.command("train")(train.train)
app.command("finetune")(finetune.finetune)
app.command("ablate")(ablate.ablate)
app.add_typer(synth.app, name="synth")
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("list")(listing.list_)
app.add_typer(data.app, name="data")
app.add_typer(cache.app, name="cache")
app.command("env")(env.env)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"oodkit {version('oodkit')}")
        raise typer.Exit


_show_traceback = False


@app.callback()
def _options(
    ctx: typer.Context,
    _version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", envvar="OODKIT_DEBUG", help="Show the traceback of an error.")] = False,
) -> None:
    global _show_traceback  # noqa: PLW0603 (typer calls the commands, and main what comes of their errors)
    _show_traceback = debug
    if ctx.invoked_subcommand not in several.ALLOWED:
        with several.told_once():
            several.require_alone(str(ctx.invoked_subcommand))


def main() -> None:
    """Run the command line. An error becomes one line on stderr and an exit code; with --debug it keeps its traceback."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # as a service may start programs; what asks it whether it is a terminal would fail
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (for as long as the program runs)
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may hold what the terminal's encoding lacks
    with interrupts_noted() as interrupted:
        try:
            app()
        except OodkitError as error:
            if _show_traceback:
                raise
            typer.echo(f"error: {printable(str(error))}", err=True)
            sys.exit(error.exit_code)
        except Exception as error:
            if _show_traceback:
                raise
            if interrupted:  # half-imported packages raise anything
                sys.exit(128 + signal.SIGINT)
            told, code = _unforeseen(error)
            typer.echo(f"error: {told}", err=True)
            sys.exit(code)


def _unforeseen(error: Exception) -> tuple[str, int]:
    """What is told of an error that no command took care of, and its exit code."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # any option that takes a path may bring it
        return f"no file can be named {in_short(error.filename, 60)}…: it is too long; give a shorter name", UsageError.exit_code
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:  # files are written with their names
        return f"can't write to stdout: {error.strerror}; free some space there and run again", OodkitError.exit_code
    text = printable(" ".join(str(error).split()))
    return f"unexpected {type(error).__name__}: {text}; oodkit --debug … shows where, please report it", OodkitError.exit_code
