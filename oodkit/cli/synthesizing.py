"""What ``oodkit synth`` does once the command line is understood."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from oodkit.classifier import Classifier, load_classifier
from oodkit.cli.interruptions import kept_in
from oodkit.cli.keyed import keyed
from oodkit.cli.options import batch_size_of
from oodkit.cli.runs import begun, new_folder, require_folder
from oodkit.cli.several import told_once
from oodkit.cli.synth_progress import shown_images
from oodkit.cli.synth_result import before_lines, generator_lines, told
from oodkit.errors import UsageError
from oodkit.forward import resolve_device
from oodkit.processes import rank
from oodkit.run_folder import Document
from oodkit.synth import (
    Generator,
    ImageClass,
    classes_beforehand,
    classes_like,
    classes_named,
    find_classes,
    make_generator,
)
from oodkit.synth.finishing import require_some
from oodkit.synth.folder import differences, is_finished, is_more, read_run, require_same
from oodkit.synth.planning import Plan, plan_synthesis
from oodkit.synth.run import carry_out
from oodkit.synth.storing import JPEG_QUALITY
from oodkit.training.interruption import ended_by_sigterm
from oodkit.wording import printable


@dataclass(frozen=True)
class Wanted:
    """What is to be made, in the words of a command line; None = not said. arguments: of the generator, each K=V."""

    model: str
    classes: Sequence[str] | None
    like: str | None
    per_class: int | None
    count: int | None
    label_with: str | None
    min_confidence: float
    keep_agreeing: bool
    size: int | None
    save_format: Literal["png", "jpeg"]
    quality: int | None
    arguments: Sequence[str]
    trust_remote_code: bool
    batch_size: str
    device: str
    seed: int

    def class_words(self) -> list[str]:
        """Of ``--classes``, one by one."""
        return [word.strip() for text in self.classes or () for word in text.split(",")]

    def _require_whole_words(self) -> None:
        for text in self.classes or ():
            if not all(word.strip() for word in text.split(",")):
                empty = "is empty" if not text.strip() else "has an empty word, where a comma has no class beside it"
                raise UsageError(f"--classes {text!r} {empty}: name a class there, or leave it out")

    def check(self) -> None:
        """Raise UsageError for options that contradict each other, before anything is loaded."""
        self._require_whole_words()
        if self.classes and self.like:
            raise UsageError("--classes and --like both say which classes to make: give one of them")
        if self.keep_agreeing and not (self.label_with or self.like):
            raise UsageError("--keep-agreeing needs a classifier: give --label-with MODEL, or --like MODEL")
        if self.min_confidence > 0 and not (self.label_with or (self.like and self.keep_agreeing)):
            raise UsageError("--min-confidence is a classifier's: give --label-with MODEL, or --like MODEL with --keep-agreeing")
        if self.quality is not None and self.save_format != "jpeg":
            raise UsageError("--quality is of jpeg files, and png ones lose nothing: give --save-format jpeg, or leave it out")


def carry_out_wanted(wanted: Wanted, output: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Make the images, or what is missing of them, and print what came of it: of several processes the one that ends last does."""
    hushed = quiet or rank() > 0
    say = (lambda _: None) if hushed else _say
    with told_once():
        wanted.check()
        require_folder(output)
        resolve_device(wanted.device)
        arguments = keyed(wanted.arguments, "--generator-arg")
        if (words := wanted.class_words()) and (known := classes_beforehand(wanted.model, arguments)) is not None:
            find_classes(words, known)  # a class that there is not is told before gigabytes of weights are fetched
        generator = make_generator(wanted.model, device=wanted.device, trust_remote_code=wanted.trust_remote_code, **arguments)
        for line in generator_lines(generator):
            say(line)
        planned = _plan(wanted, generator, say)
        folder, before = _folder(output, planned)
    for line in before_lines(folder, before, planned):
        say(line)
    document = _make(planned, folder, hushed=hushed)
    if not is_finished(document):
        say(f"this process has done its part; the last one to end finishes {folder} and tells what came of it")
    elif rank() == 0 or before is None or not is_finished(before):
        typer.echo(json.dumps(document, indent=1) if as_json else folder if quiet else told(folder, document, planned.notes))
        require_some(folder, document)


def _say(line: str) -> None:
    typer.echo(printable(line), err=True)


def _plan(wanted: Wanted, generator: Generator, say: Callable[[str], None]) -> Plan:
    like, label_with = _classifiers(wanted)
    return plan_synthesis(
        generator,
        classes=_classes(wanted, generator, like, say),
        per_class=wanted.per_class,
        count=wanted.count,
        seed=wanted.seed,
        label_with=label_with,
        min_confidence=wanted.min_confidence,
        keep_agreeing=wanted.keep_agreeing,
        batch_size=batch_size_of(wanted.batch_size) or "auto",
        size=wanted.size,
        save_format=wanted.save_format,
        quality=JPEG_QUALITY if wanted.quality is None else wanted.quality,
        device=wanted.device,
    )


def _classifiers(wanted: Wanted) -> tuple[Classifier | None, Classifier | None]:
    """Those of ``--like`` and of the labels, each loaded once; ``--keep-agreeing`` alone takes the former for both."""
    like = None if wanted.like is None else load_classifier(wanted.like)
    if wanted.label_with is None:
        return like, like if wanted.keep_agreeing else None
    return like, like if wanted.label_with == wanted.like else load_classifier(wanted.label_with)


def _classes(
    wanted: Wanted, generator: Generator, like: Classifier | None, say: Callable[[str], None]
) -> tuple[ImageClass, ...] | None:
    """The classes that were asked for; None where the generator knows none."""
    words = wanted.class_words()
    if not generator.conditional:
        _check_without_classes(wanted, generator)
        return None
    if wanted.count is not None:
        raise UsageError(f"{generator.spec} makes images of classes: give --per-class; --count is for generators that know none")
    if like is not None:
        return classes_like(like, generator, say=lambda line: say(f"note: {line}"))
    if words:
        return classes_named(words) if generator.classes is None else find_classes(words, generator.classes)
    if generator.classes is None:
        raise UsageError(
            f"{generator.spec} makes what a text says: name classes, --classes CLASS,…, or take a model's, --like MODEL"
        )
    return generator.classes


def _check_without_classes(wanted: Wanted, generator: Generator) -> None:
    for option, value in {"--classes": wanted.classes, "--like": wanted.like}.items():
        if value:
            told = f"{generator.spec} can't be told which class to make"
            raise UsageError(f"{told}: leave {option} out; --label-with MODEL gives its images labels")
    if wanted.keep_agreeing:
        raise UsageError(f"{generator.spec} knows no classes to agree on: leave --keep-agreeing out; --min-confidence drops images")
    if not wanted.label_with and wanted.count is None and generator.available(None) is None:
        raise UsageError(f"{generator.spec} knows no classes: give --label-with MODEL, which gives its images labels, or --count N")


def _folder(output: Path | None, planned: Plan) -> tuple[Path, Document | None]:
    """The folder of the images, and what its run.json says, where it was begun before: the same, else less of it."""
    if output is not None:
        before = read_run(output)
        if before is not None:
            require_same(output, before["asked"], planned.asked)
        return output, before
    fitting = [one for one in begun("synth", read_run) if not differences(one[1]["asked"], planned.asked)]
    same = [(path, before) for path, before in fitting if not is_more(before["asked"], planned.asked)]
    return next(iter([*same, *fitting]), None) or (new_folder("synth"), None)


def _make(planned: Plan, folder: Path, *, hushed: bool) -> Document:
    say = None if hushed else _say
    with kept_in(folder), ended_by_sigterm(), shown_images(quiet=hushed) as progress:
        return carry_out(planned, folder, progress=progress, say=say)
