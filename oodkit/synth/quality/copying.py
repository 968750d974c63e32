"""Whether images were copied from the real ones: how near the nearest lies, beside how near it lies to unseen real images."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.images.base import ImageSet
from oodkit.outputs import Outputs
from oodkit.synth.quality.compared import Sample
from oodkit.synth.quality.draws import Ints
from oodkit.synth.quality.found import Copy, Nearest
from oodkit.synth.quality.neighbours import two_nearest

NEAR = 1 / 3  # of the second nearest distance; Yoon et al., 2023, after whom Gu et al., arXiv:2310.02664, count copies in pixels
SHOWN = 8
HALF = 0.5  # of the median distance of unseen images
UNLIKELY = 0.01
ROWS = 2**14  # real images that are searched at once: of 2048 features in float32 128 MiB


@dataclass(frozen=True, eq=False)
class Bank:
    """The real images that are searched, which may lie on disk. outputs: of N images. positions: (N,) in ``real``."""

    real: ImageSet
    outputs: Outputs
    positions: Ints

    def nearest_of(self, images: ImageSet, sample: Sample, unseen: Nearest | None = None) -> Nearest:
        """unseen: what was found of unseen real images; None where these are they."""
        distances, places = self._two_nearest(sample.features)
        near = distances[:, 0] <= NEAR * distances[:, 1]
        median, count = float(distances[:, 0].median()), int(near.sum())
        p = 1.0 if unseen is None else more_often(count, len(sample), unseen.near_copies, unseen.images)
        ratio = 1.0 if unseen is None else median / unseen.median if unseen.median else None
        often = unseen is not None and p < UNLIKELY and count * unseen.images >= 2 * unseen.near_copies * len(sample)
        flagged = often or (ratio is not None and ratio < HALF)
        copies = self._worst(images, sample, distances, places, near)
        return Nearest(len(self.outputs), len(sample), median, ratio, count, p, flagged, copies)

    def _two_nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """As ``two_nearest``, of a part of the real images after the other."""
        distances, places, start = [], [], 0
        for chunk in self.outputs.chunks(ROWS):
            own, at = two_nearest(queries, chunk.features)
            distances.append(own)
            places.append(at + start)
            start += len(chunk)
        nearest, order = torch.cat(distances, dim=1).sort(dim=1, stable=True)
        return nearest[:, :2], torch.cat(places, dim=1).gather(1, order[:, :2])

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
