"""The images that are compared, chosen and read: two halves of the real ones, and as many of each class of every synthetic set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from oodkit.errors import ImageSetError
from oodkit.forward import resolve_device
from oodkit.images.base import ImageSet
from oodkit.synth.quality import remarks
from oodkit.synth.quality.compared import Pick, Reading, Sample, Seen
from oodkit.synth.quality.draws import Classes, Ints, counts, equal_counts, places_in_class, require_enough, shuffled
from oodkit.wording import printable

HELD_OUT = "held out"
MOST = 10_000  # images of each set where no count is given: kernels and neighbours take time by its square


@dataclass(frozen=True, eq=False)
class Chosen:
    """labels: of all real images, (R,). each: how many of each class are compared, (C,). real, others: the two halves. whole: all
    real images, which are read where there are held-out ones, and may lie on disk. held_out: as many of a class, or fewer. picks:
    of the synthetic sets by name. missing: by name, the classes that a set has no image of.
    """

    classes: Classes
    labels: Ints
    each: Ints
    real: Sample
    others: Sample
    whole: Seen | None
    held_out: Sample | None
    picks: Mapping[str, Pick]
    missing: Mapping[str, Sequence[str]]
    notes: Sequence[str]
    device: torch.device

    def sample(self, name: str) -> Sample:
        """The images of a synthetic set, whose features come to memory with this."""
        return self.picks[name].first(self.each, self.device)


def choose(
    reading: Reading, real: ImageSet, synthetic: Mapping[str, ImageSet], held_out: ImageSet | None, count: int | None, seed: int
) -> Chosen:
    """Raises ImageSetError where too few images can be compared, or the held-out ones have none of the classes."""
    classes = Classes.of(real)
    labels, total = classes.own_labels(real), len(classes.names)
    theirs = {name: classes.labels_of(images) for name, images in synthetic.items()}
    there = {name: counts(own, total) for name, (own, _) in theirs.items()}
    most = MOST if count is None else count
    wanted = equal_counts(counts(labels, total), there, most)
    require_enough(wanted, classes, there)
    held_labels = None if held_out is None else _held_out_labels(classes, held_out, wanted)
    notes = [note for _, note in theirs.values() if note]

    first, second = halves(labels, wanted, seed)
    searched = [first, second] if held_out is None else [np.arange(len(real))]
    seen = reading.read("real", real, searched)
    real_picks = [Pick.of(seen, one, labels) for one in (first, second)]
    picks = {name: _pick(reading, name, synthetic[name], own, wanted, seed) for name, (own, _) in theirs.items()}
    each = np.min([pick.counts(total) for pick in (*real_picks, *picks.values())], axis=0)
    require_enough(each, classes, there)
    device = _device(reading.device)
    held = None
    if held_out is not None and held_labels is not None:
        held = _pick(reading, HELD_OUT, held_out, held_labels, each, seed).first(None, device)
    present = np.unique(labels[labels >= 0])
    missing = {name: [classes.names[label] for label in present if not own[label]] for name, own in there.items()}
    unreadable = {"the real images": sum(pick.unreadable for pick in real_picks)} | {
        name: pick.unreadable for name, pick in picks.items()
    }
    notes += remarks.of_choice(int(wanted.sum()), count, most, int((counts(labels, total) // 2).sum()), there)
    notes += [*remarks.of_missing(missing), *remarks.of_unreadable(unreadable)]
    own, others = (pick.first(each, device) for pick in real_picks)
    whole = None if held is None else seen.to(device)
    return Chosen(classes, labels, each, own, others, whole, held, picks, missing, notes, device)


def halves(labels: Ints, each: Ints, seed: int) -> tuple[Ints, Ints]:
    """Positions (n,) and (n,), sorted by label, none in both, drawn by ``seed``: ``each`` images of a class twice."""
    order = shuffled(labels, seed)
    place, own = places_in_class(labels[order]), each[labels[order]]
    return order[place < own], order[(own <= place) & (place < 2 * own)]


def _pick(reading: Reading, name: str, images: ImageSet, labels: Ints, each: Ints, seed: int) -> Pick:
    order = shuffled(labels, seed)
    positions = order[places_in_class(labels[order]) < each[labels[order]]]
    return Pick.of(reading.read(name, images, [positions]), positions, labels)


def _held_out_labels(classes: Classes, held_out: ImageSet, each: Ints) -> Ints:
    labels, _ = classes.labels_of(held_out)
    if not (counts(labels, len(each)) * each).any():
        raise ImageSetError(
            f"the held-out images {printable(held_out.spec)} have none of the classes that are compared; name them alike"
        )
    return labels


def _device(name: str) -> torch.device:
    """Where the features are compared: MPS has no float64."""
    device = resolve_device(name)
    return torch.device("cpu") if device.type == "mps" else device
