"""Images that two sets of one run share: not learnt from where they are tested on, and told of everywhere."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np

from oodkit.cli.inputs import NO_SET, SetNames, Sets
from oodkit.cli.progress import status_line
from oodkit.errors import UsageError
from oodkit.images.base import ImageSet
from oodkit.images.limited import taken
from oodkit.images.overlap import Comparison
from oodkit.wording import printable

OPTIONS = {"id": "--id", "fit": "--train", "val": "--val"}


def told_apart(sets: Sets, names: SetNames, *, quiet: bool) -> Sets:
    """The sets without the training images that are ID test images too, and with a note wherever two share image files.

    A benchmark's own sets are left as they were published, and compared with one's own alone. Sets of --tune have a stricter rule.
    Arrays are not compared: they would have to be decoded. Raises UsageError where no training image is left.
    """
    own = _own(sets, names)
    named = {name: images for name, images in sets.named().items() if name not in sets.tune}
    pairs = [pair for pair in combinations(named, 2) if own.intersection(pair) and pair != ("fit", "val")]
    comparison, notes = Comparison(), {name: list(said) for name, said in sets.notes.items()}
    fit = sets.fit
    with status_line("comparing image sets", quiet=quiet) as say:
        for first, second in pairs:
            if say:
                say(f"{second} with {first}")
            if (first, second) == ("id", "fit"):
                fit, found = without_shared(named[second], named[first], ("training", "ID test"), comparison)
                note = found and f"{found}; if the network was trained on them, its accuracy and AUROC are too good"
            else:
                note = _note(second, first, comparison.shared_files(named[second], named[first]), named)
            if note:
                notes.setdefault(second, []).append(note)
    return replace(sets, fit=fit, notes=notes) if notes != sets.notes else sets


def such_as(shared: Mapping[int, int], images: ImageSet, others: ImageSet) -> str:
    """One of the shared images, and what it is called in the other set, where it has another name there."""
    ours, theirs = next(iter(shared.items()))
    called = "" if images.image_name(ours) == others.image_name(theirs) else f", there {others.image_name(theirs)}"
    return f"such as {images.image_name(ours)}{called}"


def _own(sets: Sets, names: SetNames) -> set[str]:
    """The sets that are no benchmark's."""
    if not names.benchmark:
        return set(sets.named())
    return {name for name, spec in (("fit", names.fit), ("val", names.val)) if spec not in {None, NO_SET}}


def without_shared(
    learnt: ImageSet, kept_apart: ImageSet, words: tuple[str, str], comparison: Comparison | None = None
) -> tuple[ImageSet, str | None]:
    """The images to learn from that are not among those ``kept_apart``, and what is to be said of the others, if there are any.

    words: what the images of the one and of the other are called. Left in, each would be its own nearest neighbour, and KNN perfect
    on ID images whatever the features are worth. Raises UsageError where none is left to learn from.
    """
    comparison = comparison or Comparison()
    shared = comparison.shared_files(learnt, kept_apart)
    if not shared:
        return learnt, None
    theirs = comparison.shared_files(kept_apart, learnt)
    learning, apart = words
    such = such_as(theirs, kept_apart, learnt)
    found = f"{len(theirs)} of {len(kept_apart)} {apart} images are among the {learning} images, {such}"
    rest = np.setdiff1d(np.arange(len(learnt)), list(shared))
    if not len(rest):
        raise UsageError(f"{found}, and there are no other {learning} images: give {apart} images that are not learnt from")
    return taken(learnt, rest), f"{found}: only the other {len(rest)} of {len(learnt)} {learning} images are learnt from"


def _note(name: str, other: str, shared: Mapping[int, int], named: Mapping[str, ImageSet]) -> str | None:
    if not shared:
        return None
    found = f"{len(shared)} of {len(named[name])} images are in {OPTIONS.get(other) or printable(other)} too"
    if name == "val":
        why = "what is learnt from them is tested on them"
    else:
        why = "they are not OOD" if other in OPTIONS else "they count in both"
    return f"{found}, {such_as(shared, named[name], named[other])}: {why}"
