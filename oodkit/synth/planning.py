"""What is to be made, checked and settled before anything is: classes, numbers, labels and the form of the files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from oodkit.classifier import Classifier
from oodkit.errors import UsageError
from oodkit.images.folder_names import is_safe_folder, plain
from oodkit.synth.base import Generator, ImageClass
from oodkit.synth.labelling import Labeller
from oodkit.synth.storing import JPEG_QUALITY, Form, SaveFormat
from oodkit.synth.work import Work
from oodkit.wording import counted, printable

PER_CLASS = 100
MOST = 10**8  # images of a synthesis: what is remembered of each takes 40 bytes
SMALLEST, LARGEST = 4, 8192  # pixels a side; from 9,460 on Pillow takes them for an attack when they are read
LABELS_STAY = (
    "the labels are the generator's, and what the classifier says stands in manifest.jsonl alone: --keep-agreeing drops images "
    "that it takes for another class, --min-confidence those that it is unsure of"
)


@dataclass(frozen=True)
class Plan:
    """A synthesis that can begin.

    labels: the classes that images can stand for in the end, none where they stay without. quota: how many a class are kept where
    the labels are a classifier's; None = all. batch_size: None lets the generator choose, and halves it where the memory does not
    suffice. asked: all that decides what is made, as JSON has it. notes: what is to be said.
    """

    generator: Generator
    work: Work
    labels: tuple[ImageClass, ...]
    labeller: Labeller | None
    labelled_by: str | None
    form: Form
    quota: int | None
    batch_size: int | None
    asked: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def classes(self) -> tuple[ImageClass, ...] | None:
        """The classes that images are asked for of; None where the generator can't be told."""
        return self.work.classes

    @property
    def items(self) -> int:
        """How many images are asked for."""
        return len(self.work)


def plan_synthesis(
    generator: Generator,
    *,
    classes: Sequence[ImageClass] | None = None,
    per_class: int | None = None,
    count: int | None = None,
    seed: int = 0,
    label_with: Classifier | None = None,
    min_confidence: float = 0.0,
    keep_agreeing: bool = False,
    batch_size: int | Literal["auto"] = "auto",
    size: int | None = None,
    save_format: SaveFormat = "png",
    quality: int = JPEG_QUALITY,
    device: str = "auto",
) -> Plan:
    """Settle a synthesis; arguments as ``synthesize`` has them. Nothing is made and nothing is written.

    Raises UsageError for what can't be used or does not go together.
    """
    _check_numbers(per_class, count, seed, min_confidence, batch_size, size, save_format, quality)
    _check_labelling(generator, label_with, min_confidence, keep_agreeing=keep_agreeing)
    asked_for = _classes(generator, classes, count)
    labeller = None
    if label_with is not None:
        labeller = Labeller(label_with, asked_for, min_confidence=min_confidence, keep_agreeing=keep_agreeing, device=device)
    labels = asked_for or (() if labeller is None else labeller.classes)
    there, notes = _there(generator, asked_for, len(labels), per_class, count)
    if sum(there) > MOST:
        raise UsageError(f"{sum(there)} images are asked for, and a synthesis has {MOST} at most; ask for fewer, by several seeds")
    form = Form(size, save_format, quality)
    quota = per_class if asked_for is None else None
    if size is not None and generator.size is not None and size > generator.size:
        enlarged = f"images of {generator.size} pixels are enlarged to {size}"
        notes.append(f"{enlarged}: a network that is trained on them can tell them from real ones by that alone")
    if label_with is not None and asked_for is not None and not (keep_agreeing or min_confidence):
        notes.append(LABELS_STAY)
    asked = {
        "generator": generator.spec,
        "facts": dict(generator.facts),
        "seed": seed,
        **({"count": there[0], "quota": quota} if asked_for is None else {"per_class": per_class or max(there)}),
        "classes": [one.folder for one in labels],
        "label_with": None if label_with is None else {"name": label_with.name, "fingerprint": label_with.fingerprint()},
        "min_confidence": min_confidence,
        "keep_agreeing": keep_agreeing,
        "size": size,
        "save_format": save_format,
        "quality": quality if save_format == "jpeg" else None,
    }
    return Plan(
        generator,
        Work(asked_for, there, seed),
        labels,
        labeller,
        None if label_with is None else label_with.name,
        form,
        quota,
        None if batch_size == "auto" else batch_size,
        json.loads(json.dumps(asked, allow_nan=False)),
        tuple(notes),
    )


def _check_numbers(
    per_class: int | None,
    count: int | None,
    seed: int,
    min_confidence: float,
    batch_size: int | str,
    size: int | None,
    save_format: str,
    quality: int,
) -> None:
    at_least_1 = {"per_class": per_class, "count": count, "batch_size": None if batch_size == "auto" else batch_size, "size": size}
    for name, value in at_least_1.items():
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise UsageError(f"{name} is a whole number of at least 1, got {value!r}")
    if size is not None and not SMALLEST <= size <= LARGEST:
        raise UsageError(f"size is the side of images in pixels, {SMALLEST} to {LARGEST}, got {size}")
    if not isinstance(seed, int):
        raise UsageError(f"seed is a whole number, got {seed!r}")
    if not 0 <= min_confidence <= 1:
        raise UsageError(f"min_confidence is a probability, 0 to 1, got {min_confidence}")
    if save_format not in ("png", "jpeg"):
        raise UsageError(f"images are saved as png or jpeg, got {save_format!r}")
    if not 1 <= quality <= 100:
        raise UsageError(f"quality, of jpeg, is 1 to 100, got {quality}")


def _check_labelling(generator: Generator, label_with: Classifier | None, min_confidence: float, *, keep_agreeing: bool) -> None:
    if label_with is None and (keep_agreeing or min_confidence > 0):
        what = "keep_agreeing" if keep_agreeing else "min_confidence"
        raise UsageError(f"{what} needs a classifier that looks at the images: label_with")
    if keep_agreeing and not generator.conditional:
        raise UsageError(
            f"{generator.spec} can't be told a class, and labels come from the classifier itself; leave keep_agreeing out"
        )


def _classes(generator: Generator, classes: Sequence[ImageClass] | None, count: int | None) -> tuple[ImageClass, ...] | None:
    if not generator.conditional:
        if classes is not None:
            raise UsageError(
                f"{generator.spec} can't be told a class; leave classes out, and give images their labels by label_with"
            )
        return None
    if count is not None:
        raise UsageError(f"{generator.spec} makes images of classes: give per_class, as count is for generators without")
    chosen = generator.classes if classes is None else tuple(classes)
    if not chosen:
        raise UsageError(f"{generator.spec} makes images of any class; say of which: classes")
    folders = [one.folder for one in chosen]
    bad = next((one for one in folders if not is_safe_folder(one)), None)
    if bad is not None:
        raise UsageError(
            f"{printable(bad)!r} is no name for the folder of a class; oodkit.images.folder_names.safe_folders makes one"
        )
    if len({plain(one) for one in folders}) < len(folders):
        raise UsageError("two of the classes have folders of the same name; give each its own")
    return tuple(chosen)


def _there(
    generator: Generator, classes: tuple[ImageClass, ...] | None, labels: int, per_class: int | None, count: int | None
) -> tuple[list[int], list[str]]:
    """How many are to be made of each class, or in all, and a note where there are fewer than asked for.

    Where nothing is said: all, of images made elsewhere, and else ``PER_CLASS`` a class.
    """
    of_each = classes if classes is not None else (None,)
    available = [generator.available(one) for one in of_each]
    many = labels if classes is None else 1
    if count is None and not many and (per_class is not None or None in available):
        raise UsageError(f"{generator.spec} knows no classes: give label_with, by which images get their labels, or count")
    wanted = per_class * many if count is None and per_class is not None else count
    there = [min((one for one in (wanted, number) if one is not None), default=PER_CLASS * many) for number in available]
    if not any(there):
        raise UsageError(f"{generator.spec} has no image of what is asked for; choose other classes")
    short = [
        (number, "" if one is None else one.name) for number, one in zip(there, of_each, strict=True) if number < (wanted or 1)
    ]
    if not short:
        return there, []
    fewest, name = min(short)
    if classes is None:
        return there, [f"{generator.spec} has {counted(fewest, 'image', 'images')}, and {wanted} were asked for"]
    what = "no image" if wanted is None else f"fewer than {counted(wanted, 'image', 'images')}"
    example = f"{fewest} of {printable(name)}" if wanted else printable(name)
    return there, [f"{generator.spec} has {what} of {counted(len(short), 'class', 'classes')}, such as {example}"]
