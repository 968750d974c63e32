"""Whether images were copied from the real ones: how near the nearest lies, beside how near it lies to unseen real images."""

import math
from dataclasses import dataclass

from torch import Tensor

from oodkit.images.base import ImageSet
from oodkit.synth.quality.draws import Ints
from oodkit.synth.quality.found import Copy, Nearest
from oodkit.synth.quality.neighbours import two_nearest
from oodkit.synth.quality.samples import Sample

NEAR = 1 / 3  # of the second nearest distance; Yoon et al., 2023, after whom Gu et al., arXiv:2310.02664, count copies in pixels
SHOWN = 8
HALF = 0.5  # of the median distance of unseen images
UNLIKELY = 0.01


@dataclass(frozen=True, eq=False)
class Bank:
    """The real images that are searched. features: (N, D). positions: (N,) in ``real``."""

    real: ImageSet
    features: Tensor
    positions: Ints

    def nearest_of(self, images: ImageSet, sample: Sample, unseen: Nearest | None = None) -> Nearest:
        """unseen: what was found of unseen real images; None where these are they."""
        distances, places = two_nearest(sample.features, self.features)
        near = distances[:, 0] <= NEAR * distances[:, 1]
        median, count = float(distances[:, 0].median()), int(near.sum())
        p = 1.0 if unseen is None else more_often(count, len(sample), unseen.near_copies, unseen.images)
        ratio = 1.0 if unseen is None else median / unseen.median if unseen.median else None
        often = unseen is not None and p < UNLIKELY and count * unseen.images >= 2 * unseen.near_copies * len(sample)
        flagged = often or (ratio is not None and ratio < HALF)
        copies = self._worst(images, sample, distances, places, near)
        return Nearest(len(self.features), len(sample), median, ratio, count, p, flagged, copies)

    def _worst(self, images: ImageSet, sample: Sample, distances: Tensor, places: Tensor, near: Tensor) -> list[Copy]:
        ratios = (distances[:, 0] / distances[:, 1]).nan_to_num()
        rows = near.nonzero().flatten()
        rows = rows[ratios[rows].argsort(stable=True)][:SHOWN].cpu()
        return [
            Copy(
                images.image_name(int(sample.positions[row])),
                self.real.image_name(int(self.positions[int(places[row, 0])])),
                float(distances[row, 0]),
                float(ratios[row]),
            )
            for row in rows.tolist()
        ]


def more_often(first: int, first_of: int, second: int, second_of: int) -> float:
    """P(as many of the first or more), of two shares that are the same in truth: Fisher's exact test, one-sided."""
    found, all_of = first + second, first_of + second_of
    ways = _log_ways(all_of, found)
    terms = [
        math.exp(_log_ways(first_of, k) + _log_ways(second_of, found - k) - ways)
        for k in range(max(first, found - second_of), min(found, first_of) + 1)
    ]
    return min(math.fsum(terms), 1.0)


def _log_ways(of: int, chosen: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(chosen + 1) - math.lgamma(of - chosen + 1)
