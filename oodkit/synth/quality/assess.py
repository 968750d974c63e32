"""The assessment of synthetic images: what is measured, of which images, and in which order the sets come out."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from torch import Tensor

from oodkit.classifier import Classifier
from oodkit.errors import UsageError
from oodkit.extraction import Progress
from oodkit.images.base import ImageSet, require_seed
from oodkit.synth.quality import remarks
from oodkit.synth.quality.choosing import Chosen, choose
from oodkit.synth.quality.compared import Reading, Sample
from oodkit.synth.quality.copying import Bank
from oodkit.synth.quality.found import FLOOR, NEIGHBOURS, Nearest, Quality, Unseen
from oodkit.synth.quality.judging import Judge
from oodkit.synth.quality.labels import Agreement, known_as, without_agreement
from oodkit.synth.quality.neighbours import expected_coverage
from oodkit.synth.quality.standing import beside_floor, noise_of, ranked

COMPARING = "comparing"


def assess(
    real: ImageSet,
    synthetic: Mapping[str, ImageSet],
    extractor: Classifier,
    *,
    held_out: ImageSet | None = None,
    count: int | None = None,
    seed: int = 0,
    labelled_by_it: Collection[str] = (),
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    cache: str | Path | Literal[False] | None = None,
    progress: Progress | None = None,
) -> Quality:
    """Hold sets of synthetic images against real ones in the feature space of a classifier, all at the same number of images.

    The real images are split in two, at random by ``seed``: every set is held against the one half. So is the
    other half, which is the floor: no generator can be expected to come below it. Of every class all sets give as many images,
    what the poorest of them has, at most ``count`` in all, or 10,000 where that is left out.

    real: images that the generators were made of, with classes or without. synthetic: by name. held_out: real images that no
    generator has seen, with classes where the real ones have them: with them all real images are read and searched for copies, and
    new heads are tested on them. Without them the floor's half stands for unseen images, and only the other half's n images are
    searched. labelled_by_it: names of synthetic sets whose labels are the extractor's own, or that hold only images that it agrees
    with: their agreement would be true by construction, and is None. device to cache: as in ``oodkit.extract``. progress: called
    with (done, in all, name of the set that is read), and with "comparing" for the sets that are compared.

    Raises UsageError for a count that is too small, a seed below 0, for no set, and for held-out images that are the real ones;
    ImageSetError where sets have no class in common, or hold too few images; NotApplicableError where features are not finite.
    """
    _require_usable(real, synthetic, held_out, count, seed)
    reading = Reading(extractor, device, batch_size, workers, cache, progress)
    chosen = choose(reading, real, synthetic, held_out, count, seed)
    known, note = known_as(real, chosen.classes, chosen.labels, extractor)
    judge, unseen = _judge(chosen, real, held_out, known, seed)
    tell = progress or (lambda _done, _all, _what: None)
    others = chosen.others
    floor = judge.judge(FLOOR, real, others, [], unseen)
    found = []
    for done, (name, images) in enumerate(synthetic.items()):
        tell(done, len(synthetic), COMPARING)
        sample = chosen.sample(name)
        nearest = judge.bank.nearest_of(images, sample, unseen)
        one = judge.judge(name, images, sample, chosen.missing[name], nearest)
        one = replace(one, classes=beside_floor(one.classes, floor.classes))
        found.append(without_agreement(one) if name in labelled_by_it else one)
    tell(len(synthetic), len(synthetic), COMPARING)
    n, width = len(others), others.outputs.num_features
    noise = noise_of(floor.frechet, chosen.real, others, seed) if len(found) > 1 else None
    sets = ranked(found, noise or 0.0)
    own = [name for name in synthetic if name in labelled_by_it]
    told = [] if known is None else remarks.of_labels(extractor.name, own, held_out)
    return Quality(
        extractor=extractor.name,
        features=width,
        real=real.spec,
        held_out=None if held_out is None else held_out.spec,
        n=n,
        asked=count,
        seed=seed,
        class_names=[name for name, own in zip(chosen.classes.names, chosen.each, strict=True) if own and name],
        expected_coverage=expected_coverage(n, n, NEIGHBOURS),
        probed_on=len(judge.test),
        unseen=_unseen(chosen.held_out, known),
        frechet_noise=noise,
        floor=floor,
        sets=sets,
        notes=[*chosen.notes, *([note] if note else []), *told, *remarks.of_results(n, width, floor, sets)],
    )


def _judge(chosen: Chosen, real: ImageSet, held_out: ImageSet | None, known: Tensor | None, seed: int) -> tuple[Judge, Nearest]:
    """Who judges, and what is found of real images that are not among those searched."""
    unseen, unseen_of, bank = chosen.others, real, Bank(real, chosen.real.outputs, chosen.real.positions)
    if chosen.held_out is not None and held_out is not None and chosen.whole is not None:
        unseen, unseen_of, bank = chosen.held_out, held_out, Bank(real, chosen.whole.outputs, chosen.whole.readable)
    test: Sample = chosen.real if chosen.held_out is None else chosen.held_out
    names, each = (chosen.classes.names, chosen.each.tolist()) if chosen.classes.labelled else ((), [])
    judge = Judge(chosen.real, names, each, known, bank, test, seed)
    return judge, bank.nearest_of(unseen_of, unseen)


def _unseen(held_out: Sample | None, known: Tensor | None) -> Unseen | None:
    if held_out is None or known is None:
        return None
    found = Agreement.of(held_out, known)
    return Unseen(len(held_out), float(found.right.double().mean()), found.confidence)


def _require_usable(
    real: ImageSet, synthetic: Mapping[str, ImageSet], held_out: ImageSet | None, count: int | None, seed: int
) -> None:
    if not synthetic:
        raise UsageError("no synthetic images to compare with the real ones: give one set or more")
    if FLOOR in synthetic:
        raise UsageError(f"{FLOOR!r} is the row of real images; give the synthetic set another name")
    if count is not None and count <= NEIGHBOURS:
        raise UsageError(f"a count of more than {NEIGHBOURS} images is needed, got {count}; take 1000 or more")
    require_seed(seed)
    if held_out is not None and held_out.fingerprint() == real.fingerprint():
        raise UsageError("the held-out images are the real ones; give images that no generator was made of, or leave them out")
