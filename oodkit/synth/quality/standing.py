"""The order of sets and of classes, and which of them are level: by no more than real images differ from each other."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from oodkit.outputs import Outputs
from oodkit.synth.quality.compared import Sample
from oodkit.synth.quality.found import ClassQuality, SetQuality
from oodkit.synth.quality.gaussian import Gaussian, frechet

SPLITS = 3  # beside the one that the sets are held against
MOST = 1e6  # standard errors, where the error itself is 0


def ranked(sets: Sequence[SetQuality], noise: float) -> list[SetQuality]:
    """By Fréchet distance, as SIO's Figure 3, each with its two ranks.

    Sets that lie no more than ``noise`` above the first of a rank share it; of equal ones the first comes first.
    """
    by_coverage = sorted(sets, key=lambda one: (-one.coverage, one.frechet))
    places = {one.name: place for place, one in enumerate(by_coverage, 1)}
    found: list[SetQuality] = []
    rank, least = 1, -math.inf
    for place, one in enumerate(sorted(sets, key=lambda one: one.frechet), 1):
        if one.frechet - least > noise:
            rank, least = place, one.frechet
        found.append(replace(one, rank=rank, coverage_rank=places[one.name]))
    return found


def noise_of(floor: float, first: Sample, second: Sample, seed: int) -> float:
    """How far Fréchet distances of one half of the real images to the other lie apart: ``floor``, that of these two, and three
    more, whose halves are drawn anew by ``seed``, class by class.
    """
    outputs, labels = Outputs.join([first.outputs, second.outputs]), torch.cat([first.labels, second.labels]).cpu().numpy()
    generator, distances = np.random.default_rng(seed), [floor]
    for _ in range(SPLITS):
        order = torch.from_numpy(np.lexsort([generator.random(len(labels)), labels]))
        distances.append(frechet(*(Gaussian.of(outputs.subset(order[start::2])) for start in range(2))))
    return max(distances) - min(distances)


def beside_floor(classes: Sequence[ClassQuality], floor: Sequence[ClassQuality]) -> list[ClassQuality]:
    """The classes of a set with ``above``, the best first. floor: the same classes of real images beside real ones."""
    of_floor = {one.name: one for one in floor}
    found = [replace(one, above=_above(one, of_floor[one.name])) for one in classes]
    return sorted(found, key=lambda one: (one.above is None, one.above or 0.0))


def _above(one: ClassQuality, floor: ClassQuality) -> float | None:
    if one.kid is None or one.kid_sd is None or floor.kid is None or floor.kid_sd is None:
        return None
    difference = one.kid - floor.kid
    return difference / max(math.hypot(one.kid_sd, floor.kid_sd), abs(difference) / MOST) if difference else 0.0
