"""Statistics of features that need more images than fit in memory: float64, one bounded chunk at a time."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from oodkit.errors import NotApplicableError, OutputsError, UsageError
from oodkit.outputs import Outputs

FLOAT64_EPSILON = torch.finfo(torch.float64).eps


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of N features in float64, on the device of the outputs they were taken of.

    mean: (D,). class_counts: (C,), images per class. class_means: (C, D), zeros for a class without images. within: (D, D), the
    tied covariance about the class means, where images without a label count as one more class. total: (D, D), the covariance
    about the mean. Covariances are divided by N (Σ and Σ₀ of the Mahalanobis papers). centred: (N, D), the features less their
    class means, where there are fewer images than features; else None.
    """

    count: int
    mean: Tensor
    class_counts: Tensor
    class_means: Tensor
    within: Tensor
    total: Tensor
    centred: Tensor | None = None

    def whitener(self) -> Tensor:
        """(D, r) in float64: A with A Aᵀ the pseudo-inverse of the within-class covariance."""
        return whitening(self.within) if self.centred is None else _scaled(*eigenpairs_of_few(self.centred))

    def about(self, centre: Tensor) -> Tensor:
        """(D, D): the mean of (f − centre)(f − centre)ᵀ."""
        shift = self.mean - centre.to(self.mean)
        return self.total + torch.outer(shift, shift)


# Several scorers learn from the same images, and the D × D product over all of them is most of what their fit costs.
_moments_of: WeakKeyDictionary[Outputs, Moments] = WeakKeyDictionary()
_class_sums_of: WeakKeyDictionary[Outputs, tuple[Tensor, Tensor]] = WeakKeyDictionary()


def class_sums(outputs: Outputs) -> tuple[Tensor, Tensor]:
    """Counts (C + 1,) and feature sums (C + 1, D) by class in float64; the last row is of the images without a label.

    One pass; the same outputs are never gone through again. Raises NotApplicableError where there are no images or the features
    are not finite, OutputsError where a label has no class.
    """
    if outputs not in _class_sums_of:
        _class_sums_of[outputs] = _class_sums(outputs)
    return _class_sums_of[outputs]


def mean_feature(outputs: Outputs) -> Tensor:
    """(D,) the mean of the features in float64. Raises as ``class_sums``."""
    return class_sums(outputs)[1].sum(0) / len(outputs)


def correct_alone(outputs: Outputs) -> Outputs:
    """The same images, of which only those that the network classifies as labelled keep their label; the others have none."""
    labels = outputs.labels.cpu()
    return outputs.with_labels(torch.where(outputs.predictions() == labels, labels, -1))


def moments(outputs: Outputs) -> Moments:
    """Class means in one pass, scatter about them in a second; the same outputs are never gone through again.

    Two passes because the one-pass difference Σ f fᵀ − Σ n μ μᵀ leaves noise in directions where the classes differ but their
    images do not, and the pseudo-inverse would blow that noise up. Raises NotApplicableError where there are no images or the
    features are not finite, OutputsError where a label has no class.
    """
    if outputs not in _moments_of:
        _moments_of[outputs] = _moments(outputs)
    return _moments_of[outputs]


def _moments(outputs: Outputs) -> Moments:
    counts, sums = class_sums(outputs)
    count = len(outputs)
    mean = sums.sum(0) / count
    means = sums / counts.clamp(min=1)[:, None]
    scatter, kept = torch.zeros(len(mean), len(mean)).to(mean), []
    for chunk in outputs.chunks():
        centred = chunk.features.double() - means[chunk.labels]
        scatter += centred.mT @ centred
        kept += [centred] if count < len(mean) else []
    between = (means - mean) * counts.sqrt()[:, None]
    within = scatter / count
    total = within + between.mT @ between / count
    return Moments(count, mean, counts[:-1].long(), means[:-1], within, total, torch.cat(kept) if kept else None)


def _class_sums(outputs: Outputs) -> tuple[Tensor, Tensor]:
    slots = outputs.num_classes + 1
    if len(outputs) == 0:
        raise NotApplicableError("got no images to take the moments of")
    if (largest := int(outputs.labels.max())) >= slots - 1:
        raise OutputsError(f"a label is {largest}, but the head has {slots - 1} classes, numbered from 0; check the class order")
    counts = torch.zeros(slots, dtype=torch.float64, device=outputs.device)
    sums = torch.zeros(slots, outputs.num_features, dtype=torch.float64, device=outputs.device)
    for chunk in outputs.chunks():
        slot = chunk.labels % slots  # −1 indexes the last row
        counts += torch.bincount(slot, minlength=slots)
        sums.index_add_(0, slot, chunk.features.double())
    if not sums.isfinite().all():
        raise NotApplicableError("the features to learn from hold NaN or infinite values; extract them in float32 or bfloat16")
    return counts, sums


def require_labels(outputs: Outputs) -> None:
    """Raise NotApplicableError unless every image has a class."""
    if missing := int((outputs.labels < 0).sum()):
        raise NotApplicableError(f"learns from labelled images, but {missing} of {len(outputs)} have no label; give class folders")


def whitening(covariance: Tensor) -> Tensor:
    """A (D, r) in float64 with A Aᵀ the pseudo-inverse of a symmetric (D, D) covariance of rank r.

    Eigenvalues up to λ_max · D · 2.2e-16 count as zero.
    """
    return _scaled(*torch.linalg.eigh(covariance.double()))


def eigenpairs_of_few(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The eigenvalues (r,), ascending, and eigenvectors (D, r) of rowsᵀ rows / N, for (N, D) rows with N < D.

    Taken from the N × N products, whose eigenvalues are the same: a few hundred images span little of 2,048 dimensions, and
    the whole covariance would take seconds. Its null space, and what counts as zero beside it, is left out.
    """
    values, vectors = torch.linalg.eigh(rows @ rows.mT / len(rows))
    kept = _counted(values, rows.shape[1])
    return values[kept], rows.mT @ vectors[:, kept] / (len(rows) * values[kept]).sqrt()


def _scaled(values: Tensor, vectors: Tensor) -> Tensor:
    kept = _counted(values, len(vectors))
    factor: Tensor = vectors[:, kept] / values[kept].sqrt()
    return factor


def _counted(values: Tensor, width: int) -> Tensor:
    """Which eigenvalues are more than rounding; (r,) in ascending order, r may be 0."""
    return values > values.amax().clamp(min=0) * width * FLOAT64_EPSILON if len(values) else values > 0


def unit_rows(features: Tensor) -> Tensor:
    """(N, D) rows divided by their Euclidean norm; a row of zeros stays zero."""
    norms: Tensor = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features / norms.clamp(min=torch.finfo(features.dtype).tiny)


def stratified_rows(labels: Tensor, share: float, seed: int = 0, *, ids: Tensor | None = None, least: int = 1) -> Tensor:
    """The row numbers, ascending, of a random share of every class.

    labels: (N,). share: in (0, 1]; every class that has images gives at least one. ids: (N,) distinct numbers that name the
    images (``Outputs.indices``); with them the choice depends on the images alone and not on their order. least: how many rows
    there are at least, where there are as many. Raises UsageError for an impossible share.
    """
    if not 0 < share <= 1:
        raise UsageError(f"a share lies above 0 and at most at 1, got {share}")
    rows = len(labels)
    order = torch.arange(rows) if ids is None else ids.cpu().argsort()
    draw = torch.empty(rows, dtype=torch.int64)
    draw[order] = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    classes = labels.cpu() + 1
    counts = torch.bincount(classes)
    shuffled = draw.argsort()
    by_class = shuffled[classes[shuffled].argsort(stable=True)]
    start = (counts.cumsum(0) - counts).repeat_interleave(counts)
    place = (torch.arange(rows) - start).double() / counts.repeat_interleave(counts)  # 0 for a class's first, below 1 for its last
    by_place = by_class[(place + draw[by_class] / (rows**2 + 1)).argsort()]  # equal places are drawn by lot
    wanted = min(rows, max(round(share * rows), int((counts > 0).sum()), least))
    return by_place[:wanted].sort().values
