"""Options that several commands share, spelled once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

THUMBNAILS = 12


class DtypeName(StrEnum):
    """What ``--dtype`` takes; as an enumeration, so that typer lists the choices."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class Preset(StrEnum):
    """What ``--preset`` takes."""

    openood = "openood"
    paper = "paper"


class Format(StrEnum):
    """What ``--format`` takes: the forms that a result is printed in."""

    text = "text"
    json = "json"
    markdown = "markdown"
    csv = "csv"
    model_card = "model-card"


class ReportFormat(StrEnum):
    """What ``--format`` of ``report`` takes: the same, and the file that ``--report`` writes."""

    html = "html"
    text = Format.text.value
    json = Format.json.value
    markdown = Format.markdown.value
    csv = Format.csv.value
    model_card = Format.model_card.value


class CompareFormat(StrEnum):
    """What ``--format`` takes of commands whose result is no run's: no model to make a card of."""

    text = Format.text.value
    json = Format.json.value
    markdown = Format.markdown.value
    csv = Format.csv.value


def path_given(text: str | Path) -> Path:
    """The path. Raises typer.BadParameter for an empty one, such as an unset variable of a shell leaves: it would mean here."""
    if not str(text):
        raise typer.BadParameter("the path is empty; write . for the folder at hand")
    return Path(text)


def path_at_home(text: str | Path) -> Path:
    """The same with the home folder for ``~``, which no shell puts in where the environment names the path."""
    path = path_given(text)
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise typer.BadParameter(f"there is no user of the home folder in {path}") from error


def batch_size_or_auto(text: str) -> str:
    """The text as it is. Raises typer.BadParameter where it is neither ``auto`` nor a number of images."""
    if text != "auto" and not (text.isdecimal() and int(text) > 0):
        raise typer.BadParameter(f"{text!r} is neither auto nor a whole number above 0")
    return text


def batch_size_of(text: str) -> int | None:
    """What ``--batch-size`` comes to; None = auto."""
    return None if text == "auto" else int(text)


SETS = "Images"
MODEL = "The model"
SHOWS = "What it shows"
RUNNING = "How it runs"

BaselineOption = Annotated[
    str, typer.Option(help="Model to hold the maximal logit against; auto finds the plain sibling recipe, none leaves it out.")
]
IdOption = Annotated[
    str | None, typer.Option("--id", metavar="SET", help="In-distribution test images.", show_default=False, rich_help_panel=SETS)
]
NearOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=SET", help="Near-OOD images; repeatable.", show_default=False, rich_help_panel=SETS),
]
FarOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=SET", help="Far-OOD images; repeatable.", show_default=False, rich_help_panel=SETS),
]
BenchmarkOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="All sets of an OpenOOD benchmark at once: cifar10, cifar100, imagenet-200, imagenet-1k.",
        show_default=False,
        rich_help_panel=SETS,
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(min=1, help="At most so many images of each set, evenly spread.", show_default=False, rich_help_panel=SETS),
]
ScorerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scorer",
        metavar="NAME[:k=v]",
        help="Scorers to try, repeatable; by default all that live on one forward pass.",
        show_default=False,
    ),
]
PresetOption = Annotated[Preset, typer.Option(help="Hyper-parameters: OpenOOD v1.5's or the papers' own.")]
ArchOption = Annotated[
    str | None,
    typer.Option(help="Architecture of a weight file (timm or torchvision).", show_default=False, rich_help_panel=MODEL),
]
CheckpointOption = Annotated[
    Path | None, typer.Option(help="Weights for a py: network.", show_default=False, rich_help_panel=MODEL)
]
InputSizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Side of the square input in pixels; or height,width; or channels,height,width.",
        show_default=False,
        rich_help_panel=MODEL,
    ),
]
MeanOption = Annotated[
    str | None, typer.Option(help="Channel means, e.g. 0.485,0.456,0.406.", show_default=False, rich_help_panel=MODEL)
]
StdOption = Annotated[str | None, typer.Option(help="Channel standard deviations.", show_default=False, rich_help_panel=MODEL)]
ModelArgOption = Annotated[
    list[str] | None,
    typer.Option(metavar="K=V", help="Passed to the model's constructor; repeatable.", show_default=False, rich_help_panel=MODEL),
]
AllowPickleOption = Annotated[
    bool,
    typer.Option(
        "--allow-pickle", help="Load pickled objects, which can run code. Only for files you trust.", rich_help_panel=MODEL
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE.html", help="Write the report, one self-contained file.", show_default=False, rich_help_panel=SHOWS),
]
DeviceOption = Annotated[str, typer.Option(envvar="OODKIT_DEVICE", help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=RUNNING)]
DtypeOption = Annotated[
    DtypeName,
    typer.Option(
        envvar="OODKIT_DTYPE",
        help="Precision of the forward pass and of stored features; auto = float32.",
        rich_help_panel=RUNNING,
    ),
]
BatchSizeOption = Annotated[
    str,
    typer.Option(
        "--batch-size",
        "-b",
        envvar="OODKIT_BATCH_SIZE",
        callback=batch_size_or_auto,
        help="Images a batch, or auto; what does not fit in memory is halved.",
        rich_help_panel=RUNNING,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-j",
        envvar="OODKIT_WORKERS",
        min=0,
        help="Processes that decode images; by default as many as there are cores, at most 8.",
        show_default=False,
        rich_help_panel=RUNNING,
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        parser=path_at_home,
        metavar="PATH",
        envvar="OODKIT_CACHE",
        help="Where outputs are kept between runs; by default ~/.cache/oodkit.",
        show_default=False,
        rich_help_panel=RUNNING,
    ),
]
SeedOption = Annotated[int, typer.Option(envvar="OODKIT_SEED", help="Seed of every random choice.", rich_help_panel=RUNNING)]
DataRootOption = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        parser=path_at_home,
        metavar="DIR",
        envvar="OODKIT_DATA",
        help="Folder that holds the benchmarks' images and lists.",
        show_default=False,
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="The form to print the result in, by default text; --json is short for json.",
        show_default=False,
        rich_help_panel=SHOWS,
    ),
]
CompareFormatOption = Annotated[
    CompareFormat | None,
    typer.Option(
        "--format",
        help="The form to print in, by default text; --json is short for json.",
        show_default=False,
        rich_help_panel=SHOWS,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON instead of tables.", rich_help_panel=SHOWS)]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but the paths of written files.", rich_help_panel=SHOWS)
]

ThumbnailsOption = Annotated[
    int,
    typer.Option(
        min=0,
        max=100,
        metavar="N",
        help="Small copies of the N most wrongly scored images of each set, for the report; 0 where images are private: "
        "none is then shown, named or written.",
        rich_help_panel=SHOWS,
    ),
]


def named_pairs(option: str, texts: list[str]) -> dict[str, str]:
    """``NAME=SET`` texts as a mapping. Raises typer.BadParameter where one has no name or a name comes twice."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, separator, spec = text.partition("=")
        if not (name and separator and spec):
            raise typer.BadParameter(f"{text!r} is not NAME=SET, e.g. {option} ninco=/data/ninco", param_hint=option)
        if name in pairs:
            raise typer.BadParameter(f"the name {name!r} comes twice; give each set a name of its own", param_hint=option)
        pairs[name] = spec
    return pairs
