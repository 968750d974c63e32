"""Options of ``oodkit synth`` and its subcommands that no other command has."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from oodkit.cli.options import SHOWS, path_given

ASKED = "The images"
LABELS = "Labels"
SAVED = "How they are saved"
GENERATOR = "The generator"


class SaveFormat(StrEnum):
    """What ``--save-format`` takes."""

    png = "png"
    jpeg = "jpeg"


GeneratorOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="GENERATOR",
        help="What makes the images: a name of oodkit list generators, such as biggan; diffusers:ID; the folder of a synth fit; "
        "py:MODULE:FUNCTION; or images made elsewhere, dir:PATH, npy:IMAGES,LABELS, wds:URL.",
        show_default=False,
        rich_help_panel=GENERATOR,
    ),
]
GeneratorArgOption = Annotated[
    list[str] | None,
    typer.Option(
        "--generator-arg",
        metavar="K=V",
        help="Passed on to the generator, such as truncation=0.5 or weights=PATH; repeatable.",
        show_default=False,
        rich_help_panel=GENERATOR,
    ),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code", help="Run code that comes with a generator. Only for those you trust.", rich_help_panel=GENERATOR
    ),
]
ClassesOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS,…",
        help="Classes to make, each a number, a synset such as n02099601, or a name; by default all that the generator knows.",
        show_default=False,
        rich_help_panel=ASKED,
    ),
]
LikeOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL", help="Make the classes of this classifier, under its names.", show_default=False, rich_help_panel=ASKED
    ),
]
PerClassOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Images of each class, by default 100; of images made elsewhere all.",
        show_default=False,
        rich_help_panel=ASKED,
    ),
]
CountOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Images to make in all, where the generator knows no classes; by default as many as --per-class asks for.",
        show_default=False,
        rich_help_panel=ASKED,
    ),
]
LabelWithOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Classifier that gives each image its label, where the generator knows no classes.",
        show_default=False,
        rich_help_panel=LABELS,
    ),
]
MinConfidenceOption = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        metavar="P",
        help="Keep only images that the classifier is so sure of: its largest probability.",
        rich_help_panel=LABELS,
    ),
]
KeepAgreeingOption = Annotated[
    bool,
    typer.Option(
        "--keep-agreeing",
        help="Keep only images that the classifier of --label-with, or else of --like, takes for their class.",
        rich_help_panel=LABELS,
    ),
]
SizeOption = Annotated[
    int | None,
    typer.Option(
        min=4,
        max=8192,
        metavar="SIDE",
        help="Side in pixels to resize to, 4 to 8192, antialiased; by default the generator's.",
        show_default=False,
        rich_help_panel=SAVED,
    ),
]
SaveFormatOption = Annotated[SaveFormat, typer.Option(help="Of the files; jpeg where the real images are.", rich_help_panel=SAVED)]
JpegQualityOption = Annotated[
    int | None,
    typer.Option(
        "--quality", min=1, max=100, metavar="Q", help="Of jpeg files, by default 95.", show_default=False, rich_help_panel=SAVED
    ),
]
SynthOutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        parser=path_given,
        metavar="DIR",
        help="Folder of the images; by default that of the same command where there is one, else oodkit-runs/synth-NNN.",
        show_default=False,
        rich_help_panel=SHOWS,
    ),
]
FitOutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        parser=path_given,
        metavar="DIR",
        help="Folder of the generator; by default that of the same command where there is one, else oodkit-runs/synth-fit-NNN.",
        show_default=False,
        rich_help_panel=SHOWS,
    ),
]
