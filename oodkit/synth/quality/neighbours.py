"""Nearest neighbours in feature space: density and coverage, and the two nearest, by which copies are found."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.synth.quality.found import NEIGHBOURS

PRODUCTS = 2**24  # squared distances that are held at once: 64 MiB in float32
CANDIDATES = 4  # whose distances are taken again without rounding, to find the nearest two
GATHERED = 2**23  # numbers of candidates that are held at once


@dataclass(frozen=True, eq=False)
class Balls:
    """Around each real image, (N, D), the ball that reaches to its k-th nearest other one; squared radii (N,)."""

    features: Tensor
    radii: Tensor

    @classmethod
    def of(cls, features: Tensor, k: int = NEIGHBOURS) -> "Balls":
        """Of more than k images."""
        kth = [_without_itself(squares, rows).kthvalue(k, dim=1).values for rows, squares in _squares(features, features)]
        return cls(features, torch.cat(kth))


def density_and_coverage(real: Balls, others: Tensor, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Density: how many balls an image of ``others`` (M, D) lies in, the mean over k. Coverage: the share of balls that hold any.

    Naeem et al., ICML 2020, arXiv:2002.09797, section 3.
    """
    inside, covered = 0, 0
    for rows, squares in _squares(real.features, others):
        within = squares < real.radii[rows, None]
        inside += int(within.sum())
        covered += int(within.any(1).sum())
    return inside / (k * len(others)), covered / len(real.features)


def expected_coverage(real: int, others: int, k: int = NEIGHBOURS) -> float:
    """Of two samples of one distribution, as Naeem et al. derive it; 1 − 2^−k for large samples of one size."""
    return 1 - math.prod((real - i) / (real + others - i) for i in range(1, k + 1))


def two_nearest(queries: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
    """The Euclidean distances (n, 2) in float64, ascending, of each query to the nearest two of the bank, and which these are."""
    wanted = min(CANDIDATES, len(bank))
    step = max(GATHERED // (wanted * queries.shape[1]), 1)
    distances, places = [], []
    for rows, squares in _squares(queries, bank, step):
        found = squares.topk(wanted, dim=1, largest=False).indices
        exact = torch.linalg.vector_norm(queries[rows, None].double() - bank[found].double(), dim=2)
        nearest, order = exact.sort(dim=1, stable=True)
        distances.append(nearest[:, :2])
        places.append(found.gather(1, order)[:, :2])
    return torch.cat(distances), torch.cat(places)


def _squares(first: Tensor, second: Tensor, most: int | None = None) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of some rows of ``first`` at a time, at most ``most``, to all of ``second``, in float32.

    About the mean of ``second``: far from the origin the difference of squares would lose what tells neighbours apart.
    """
    centre = second.mean(0)
    second = (second - centre).float()
    lengths = second.square().sum(1)
    step = max(min(PRODUCTS // len(second), most or len(first)), 1)
    for start in range(0, len(first), step):
        rows = slice(start, min(start + step, len(first)))
        own = (first[rows] - centre).float()
        yield rows, torch.addmm(lengths, own, second.mT, alpha=-2).add_(own.square().sum(1)[:, None]).clamp_(min=0)


def _without_itself(squares: Tensor, rows: slice) -> Tensor:
    squares[:, rows].fill_diagonal_(torch.inf)
    return squares
