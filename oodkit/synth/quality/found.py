"""What an assessment of synthetic images finds: plain dataclasses, JSON-able by their fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

FLOOR: Final = "real"  # the name of the row that holds real images against other real images
NEIGHBOURS: Final = 5  # k of density and coverage


@dataclass(frozen=True)
class ClassQuality:
    """Of one class. n: its images in each of the sets that are compared.

    kid, kid_sd: the unbiased kernel distance of its images to the real ones of the class, and its standard error; None of fewer
    than 3. coverage: in [0, 1], neighbours within the class alone; None of no more than 5. agreement: the share of its images that
    the extractor gives the class; None where the extractor does not know the classes. above: how far its kernel distance lies above
    the floor's of the class, in standard errors of the difference (taken for independent), at most 10⁶; below 2 it is within error;
    None without kernel distances, and of the floor.
    """

    name: str
    n: int
    kid: float | None
    kid_sd: float | None
    coverage: float | None
    agreement: float | None
    above: float | None = None


@dataclass(frozen=True)
class Unseen:
    """Of held-out real images, as many of a class as are compared, or fewer: what a perfect generator's would come to."""

    images: int
    agreement: float
    confidence: float


@dataclass(frozen=True)
class Copy:
    """An image whose nearest real image lies much nearer than the second nearest: their names within their sets.

    ratio: the one distance over the other, at most 1/3; 0 of an exact copy.
    """

    image: str
    real: str
    distance: float
    ratio: float


@dataclass(frozen=True)
class Nearest:
    """Distances to the nearest real image, Euclidean in feature space.

    searched: the real images that were searched. median: over the images. ratio: the median over that of real images that are
    not among those searched; 1 is as far as unseen images are, near 0 is copied; None where theirs is 0. near_copies: of ``images``
    images, those whose nearest real image lies at most a third as far as the second nearest. p: how likely so many near-copies or
    more are where real images have as many: Fisher's exact test, one-sided. flagged: ratio below 1/2, or p below 0.01. copies: the
    worst of them, at most 8.
    """

    searched: int
    images: int
    median: float
    ratio: float | None
    near_copies: int
    p: float
    flagged: bool
    copies: Sequence[Copy]


@dataclass(frozen=True)
class SetQuality:
    """One set of images beside the real ones; of the floor, real images beside others.

    name, spec: what the user calls it, and where it is. images: how many it holds; n of them were compared. missing: classes of the
    real images that it has none of, whose images are in no comparison.
    frechet: the Fréchet distance, 0 or more, of the classifier's features; grows smaller with n by itself, so only distances at
    equal n compare. kid, kid_sd: unbiased kernel distance, whose mean is 0 for the same distribution, and its standard error.
    density: 0 or more, 1 is expected of real images. coverage: in [0, 1]; ``Quality.expected_coverage`` is expected of real
    images. agreement: the share whose most likely class is their label. confidence: the mean largest softmax probability; both
    None where the extractor does not know the classes. probe: the accuracy on real images of a linear head that was trained on the
    n features of this set; None where the real images have no classes, or only one.
    classes: by ``above``, best first, then those without, the floor's by kid; empty where the real images have none. rank: by
    Fréchet distance, from 1; level sets share one. coverage_rank: by coverage and then by Fréchet distance. Ranks are 0 of the
    floor.
    """

    name: str
    spec: str
    images: int
    missing: Sequence[str]
    frechet: float
    kid: float
    kid_sd: float
    density: float
    coverage: float
    agreement: float | None
    confidence: float | None
    probe: float | None
    nearest: Nearest
    classes: Sequence[ClassQuality]
    rank: int
    coverage_rank: int


@dataclass(frozen=True)
class Quality:
    """Everything that was found.

    extractor: the classifier's name. features: D. real, held_out: specs; held_out None where there are none, and half of the real
    images stands for them. n: images compared of every set, drawn class by class with ``seed``, as many of a class in each.
    asked: the count that the user gave, None for as many as there are. probed_on: the real images that ``probe`` is measured on.
    unseen: agreement and confidence of held-out images; None without them, and where the extractor does not know the classes.
    frechet_noise: by how much the floor's Fréchet distance differs when the real images are split anew, the most of four; sets that
    differ by no more are level; None of a single set.
    floor: real images against other real images, at the same n. sets: the synthetic ones, by rank. notes: what else is to know, a
    sentence each.
    """

    extractor: str
    features: int
    real: str
    held_out: str | None
    n: int
    asked: int | None
    seed: int
    class_names: Sequence[str]
    expected_coverage: float
    probed_on: int
    unseen: Unseen | None
    frechet_noise: float | None
    floor: SetQuality
    sets: Sequence[SetQuality]
    notes: Sequence[str]
