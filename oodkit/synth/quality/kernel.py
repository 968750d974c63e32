"""The kernel distance between two sets of features, without bias, and how far it may be off."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

PRODUCTS = 2**23  # kernel values that are held at once: 64 MiB


def strata_of(labels: Tensor) -> Tensor:
    """(N,) numbers of strata of sorted labels: the classes, of which one with a single image is one stratum with the next."""
    strata, waiting = [0], 0
    for size in torch.unique_consecutive(labels, return_counts=True)[1].tolist():
        waiting += size
        if waiting > 1:
            strata.append(waiting)
            waiting = 0
    strata[-1] += waiting
    sizes = torch.tensor(strata[1:], device=labels.device)
    return torch.arange(len(sizes), device=labels.device).repeat_interleave(sizes)


@dataclass(frozen=True, eq=False)
class Kernels:
    """Of one set of images with itself. features: (N, D) in float64. strata: (N,), sorted. sums, same: (N,), of each image the sum
    of its kernel with all others, and with those of its stratum.
    """

    features: Tensor
    strata: Tensor
    sums: Tensor
    same: Tensor

    @classmethod
    def of(cls, features: Tensor, strata: Tensor) -> "Kernels":
        """strata: as ``strata_of`` gives them, two images or more in each."""
        features = features.double()
        itself = (features.square().mean(1) + 1) ** 3
        parts = torch.split(features, torch.unique_consecutive(strata, return_counts=True)[1].tolist())
        same = torch.cat([_row_sums(part, part) for part in parts]) - itself
        sums = same if len(parts) == 1 else _row_sums(features, features) - itself
        return cls(features, strata, sums, same)

    def stratum(self, rows: slice) -> "Kernels":
        """Of the images of one stratum alone."""
        return Kernels(self.features[rows], torch.zeros_like(self.strata[rows]), self.same[rows], self.same[rows])

    @cached_property
    def sizes(self) -> Tensor:
        """(N,) images in the stratum of each, in float64."""
        return torch.bincount(self.strata)[self.strata].double()

    @cached_property
    def others(self) -> Tensor:
        """(N,) the mean kernel of each image with another one, drawn from its own stratum as often as there are images in it."""
        return (self.sums - self.same + self.same * self.sizes / (self.sizes - 1)) / len(self.sums)


def kernel_distance(first: Kernels, second: Kernels) -> tuple[float, float]:
    """The squared maximum mean discrepancy of two sets of N images with the same strata, without bias, and its standard error.

    Kernel (x·y / D + 1)³. Bińkowski et al., ICLR 2018, arXiv:1801.01401: for the same distribution its mean is 0, so that it can be
    below. Where images were drawn class by class, two sets have as many of each, which their estimate would take for likeness:
    pairs of one class are weighted here as if the classes were drawn too, a stratified estimate (theirs is the mean over blocks of
    independent draws). The error is that of the sum of each image's share (the infinitesimal jackknife) within the strata; for
    sets of one distribution it comes out about √2 too large, and where features have heavy tails it may be too small.
    """
    count = len(first.features)
    across, back = _across(first.features, second.features)
    shares = torch.stack([first.others - across / count, second.others - back / count])
    sizes, slots = first.sizes, int(first.strata[-1]) + 1
    means = torch.zeros(2, slots).to(shares).index_add_(1, first.strata, shares / sizes)
    variance = ((shares - means[:, first.strata]).square() * sizes / (sizes - 1)).sum()
    return float(shares.mean(1).sum()), 2 / count * float(variance.sqrt())


def _across(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Of the kernel between the sets the row sums and the column sums, (N,) each."""
    rows, columns = [], torch.zeros(len(second)).to(second)
    for kernel in _kernels(first, second):
        rows.append(kernel.sum(1))
        columns += kernel.sum(0)
    return torch.cat(rows), columns


def _row_sums(first: Tensor, second: Tensor) -> Tensor:
    return torch.cat([kernel.sum(1) for kernel in _kernels(first, second)])


def _kernels(first: Tensor, second: Tensor) -> Iterator[Tensor]:
    """A bounded number of rows at a time."""
    for part in torch.split(first, max(PRODUCTS // len(second), 1)):
        products = (part @ second.mT).div_(first.shape[1]).add_(1)
        yield products.square().mul_(products)
