"""Means and covariances of features by class in float64, a bounded chunk at a time; their eigendecompositions, each made once."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from oodkit.memo import once
from oodkit.outputs import Outputs
from oodkit.stats import class_sums, unit_rows

FLOAT64_EPSILON = torch.finfo(torch.float64).eps
BLOCKS = 4  # of the columns of a symmetric product; with more of them each gets too small to be fast

Pairs = tuple[Tensor, Tensor]  # eigenvalues (r,), ascending, and eigenvectors (D, r)


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of N features in float64, on the device of the outputs they were taken of.

    mean: (D,). class_counts: (C,), images per class. class_means: (C, D), zeros for a class without images. within: (D, D), the
    tied covariance about the class means, where images without a label count as one more class. total: (D, D), the covariance
    about the mean. Covariances are divided by N (Σ and Σ₀ of the Mahalanobis papers). few: where there are fewer images than
    features, (N, D) twice: the features less their class means, and less the mean; else None.
    """

    count: int
    mean: Tensor
    class_counts: Tensor
    class_means: Tensor
    within: Tensor
    total: Tensor
    few: tuple[Tensor, Tensor] | None = None

    @cached_property
    def whitener(self) -> Tensor:
        """(D, r) in float64: A with A Aᵀ the pseudo-inverse of the within-class covariance."""
        least = self.rounding
        return whitening(self.within, least) if self.few is None else _scaled(*eigenpairs_of_few(self.few[0]), least)

    @cached_property
    def total_whitener(self) -> Tensor:
        """(D, r) in float64: A with A Aᵀ the pseudo-inverse of the total covariance."""
        least = self.rounding
        return whitening(self.total, least) if self.few is None else _scaled(*eigenpairs_of_few(self.few[1]), least)

    @cached_property
    def total_rank(self) -> int:
        """The rank of the total covariance: the number of eigenvalues that count."""
        if self.few is not None:
            return self.total_whitener.shape[1]
        return int(counted(torch.linalg.eigvalsh(self.total), len(self.total), self.rounding).sum())

    @property
    def rounding(self) -> float:
        """How large an eigenvalue of a covariance of features that are all alike can come out, by the rounding of their means."""
        largest = max(float(self.class_means.abs().amax()), float(self.mean.abs().amax()))
        return len(self.mean) * (self.count * FLOAT64_EPSILON * largest) ** 2

    def eigenpairs(self, centre: Tensor | None = None, deviations: Tensor | None = None) -> Pairs:
        """Eigenvalues (r,), ascending, and eigenvectors (D, r) of the mean of v vᵀ, v = (f − centre) / deviations.

        centre: (D,), the mean where it is left out. deviations: (D,), ones where they are left out.
        """
        shift = torch.zeros_like(self.mean) if centre is None else self.mean - centre.to(self.mean)
        scale = torch.ones_like(self.mean) if deviations is None else deviations.to(self.mean)
        if self.few is not None:
            return eigenpairs_of_few((self.few[1] + shift) / scale)
        values, vectors = torch.linalg.eigh((self.total + torch.outer(shift, shift)) / torch.outer(scale, scale))
        return values, vectors


@once
def moments(outputs: Outputs) -> Moments:
    """Class means in one pass, scatter about them in a second; the same outputs are never gone through again.

    Two passes because the one-pass difference Σ f fᵀ − Σ n μ μᵀ leaves noise in directions where the classes differ but their
    images do not, and the pseudo-inverse would blow that noise up. Raises NotApplicableError where there are no images or the
    features are not finite, OutputsError where a label has no class.
    """
    return _moments(outputs, unit=False)


@once
def unit_moments(outputs: Outputs) -> Moments:
    """``moments`` of the features divided by their lengths."""
    return _moments(outputs, unit=True)


def _moments(outputs: Outputs, *, unit: bool) -> Moments:
    counts, sums = class_sums(outputs, unit=unit)
    count = len(outputs)
    mean = sums.sum(0) / count
    means = sums / counts.clamp(min=1)[:, None]
    few = count < len(mean)
    scatter, kept = torch.zeros(len(mean), len(mean)).to(mean), []
    for chunk in outputs.chunks():
        features = chunk.features.double()
        centred = (unit_rows(features) if unit else features) - means[chunk.labels]
        _add_products(scatter, centred)
        kept += [(centred, centred + (means - mean)[chunk.labels])] if few else []
    between = (means - mean) * counts.sqrt()[:, None]
    within = (scatter.triu() + scatter.triu(1).mT) / count
    total = within + between.mT @ between / count
    rows = (torch.cat([one for one, _ in kept]), torch.cat([other for _, other in kept])) if few else None
    return Moments(count, mean, counts[:-1].long(), means[:-1], within, total, rows)


def _add_products(scatter: Tensor, rows: Tensor) -> None:
    """Add rowsᵀ rows (D, D) to ``scatter``, the upper triangle alone: what stands below it means nothing.

    By blocks of columns, each multiplied with those up to its own, which spares three eighths of the whole product.
    """
    width = len(scatter)
    step = max(-(-width // BLOCKS), 64)
    for start in range(0, width, step):
        stop = min(start + step, width)
        scatter[:stop, start:stop].addmm_(rows[:, :stop].mT, rows[:, start:stop])


def whitening(covariance: Tensor, least: float = 0.0) -> Tensor:
    """A (D, r) in float64 with A Aᵀ the pseudo-inverse of a symmetric (D, D) covariance of rank r.

    Eigenvalues up to λ_max · D · 2.2e-16, and up to ``least``, count as zero.
    """
    values, vectors = torch.linalg.eigh(covariance.double())
    return _scaled(values, vectors, least)


def eigenpairs_of_few(rows: Tensor) -> Pairs:
    """The eigenvalues (r,), ascending, and eigenvectors (D, r) of rowsᵀ rows / N, for (N, D) rows with N < D.

    Taken from the N × N products, whose eigenvalues are the same: a few hundred images span little of 2,048 dimensions, and
    the whole covariance would take seconds. Its null space, and what counts as zero beside it, is left out.
    """
    values, vectors = torch.linalg.eigh(rows @ rows.mT / len(rows))
    kept = counted(values, rows.shape[1])
    return values[kept], rows.mT @ vectors[:, kept] / (len(rows) * values[kept]).sqrt()


def counted(values: Tensor, width: int, least: float = 0.0) -> Tensor:
    """Which eigenvalues are more than rounding, and than ``least``, of a (width, width) covariance; (r,), ascending, r may be 0."""
    return values > (values.amax() * width * FLOAT64_EPSILON).clamp(min=least) if len(values) else values > 0


def _scaled(values: Tensor, vectors: Tensor, least: float) -> Tensor:
    kept = counted(values, len(vectors), least)
    factor: Tensor = vectors[:, kept] / values[kept].sqrt()
    return factor
