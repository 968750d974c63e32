"""What is to be said of an assessment beside its figures, a sentence each."""

from collections.abc import Mapping, Sequence

from oodkit.images.base import ImageSet
from oodkit.synth.quality.draws import Ints
from oodkit.synth.quality.found import SetQuality
from oodkit.wording import counted, printable


def of_choice(n: int, asked: int | None, most: int, half: int, synthetic: Mapping[str, Ints]) -> list[str]:
    """Of how many images are compared, n of each set, at most ``most``. half: of the real images. synthetic: images by class."""
    totals = {name: int(own.sum()) for name, own in synthetic.items()}
    poorest = min(totals, key=lambda name: totals[name])
    compared = f"{counted(n, 'image', 'images')} of each set are compared"
    if n >= most:
        there = min(half, totals[poorest])
        return [f"{compared}, of {there}; a larger count takes time by its square"] if asked is None and there > n else []
    if n == half and asked is None:
        return []
    instead = "" if asked is None else f", not {asked}"
    has = f"half of the real images are {half}, {printable(poorest)} has {totals[poorest]}"
    return [f"{compared}{instead}: as many of each class as every set has ({has})"]


def of_missing(missing: Mapping[str, Sequence[str]]) -> list[str]:
    """Of sets without an image of some class."""
    return [
        f"{printable(name)} has no image of {counted(len(own), 'class', 'classes')}, such as {printable(own[0])}: "
        "no set is compared by them"
        for name, own in missing.items()
        if own
    ]


def of_unreadable(unreadable: Mapping[str, int]) -> list[str]:
    """Of images that could not be read, and that others of their set do not make up for."""
    return [
        f"{counted(count, 'image', 'images')} of {printable(name)} could not be read and {'is' if count == 1 else 'are'} left out"
        for name, count in unreadable.items()
        if count
    ]


def of_labels(extractor: str, own: Sequence[str], held_out: ImageSet | None) -> list[str]:
    """Of agreement and confidence. own: the sets that the extractor itself labelled or filtered."""
    found = [
        f"{printable(name)} was labelled or filtered by {printable(extractor)} itself: "
        "its agreement would be true by construction, and its confidence may be chosen too"
        for name in own
    ]
    if held_out is None:
        seen = f"{printable(extractor)} was probably trained on the real images"
        out = "even a perfect generator may not reach their agreement and confidence"
        found.append(f"{seen}: {out}; --held-out SET tells those of images that it has not seen")
    return found


def of_results(n: int, width: int, floor: SetQuality, sets: Sequence[SetQuality]) -> list[str]:
    """Of what was found at n images in ``width`` features."""
    notes = []
    if n <= width:
        bias = f"Fréchet distances are mostly an effect of n, {floor.frechet:.3g} of real images"
        notes.append(f"{n} images do not fill {width} features: {bias}; go by the kernel distance, or compare more images")
    if floor.classes and all(one.kid is None for one in floor.classes):
        notes.append("each class has at most 2 images to compare: too few to tell which classes are worse than others")
    unseen = floor.nearest
    for one in sets:
        if one.nearest.flagged:
            found = f"{one.nearest.near_copies} of {one.nearest.images} lie at most a third as far from one as from the next"
            beside = f"of unseen real images {unseen.near_copies} of {unseen.images}"
            notes.append(f"{printable(one.name)} may hold copies of real images: {found}, {beside}")
    return notes
