"""Statistics of features that need more images than fit in memory: float64, one bounded chunk at a time."""

import torch
from torch import Tensor

from oodkit.errors import NotApplicableError, OutputsError, UsageError
from oodkit.memo import Memo
from oodkit.outputs import Outputs

# Several scorers learn from the same images.
_class_sums_of: Memo[tuple[Tensor, Tensor]] = Memo()


def class_sums(outputs: Outputs, *, unit: bool = False) -> tuple[Tensor, Tensor]:
    """Counts (C + 1,) and feature sums (C + 1, D) by class in float64; the last row is of the images without a label.

    unit: of the features divided by their lengths. One pass; the same outputs are never gone through again. Raises
    NotApplicableError where there are no images or the features are not finite, OutputsError where a label has no class.
    """
    return _class_sums_of.get(outputs, unit, lambda: _class_sums(outputs, unit=unit))


def mean_feature(outputs: Outputs) -> Tensor:
    """(D,) the mean of the features in float64. Raises as ``class_sums``."""
    return class_sums(outputs)[1].sum(0) / len(outputs)


def _class_sums(outputs: Outputs, *, unit: bool) -> tuple[Tensor, Tensor]:
    slots = outputs.num_classes + 1
    if len(outputs) == 0:
        raise NotApplicableError("got no images to take the moments of")
    _require_known_classes(outputs)
    counts = torch.zeros(slots, dtype=torch.float64, device=outputs.device)
    sums = torch.zeros(slots, outputs.num_features, dtype=torch.float64, device=outputs.device)
    for chunk in outputs.chunks():
        slot = chunk.labels % slots  # −1 indexes the last row
        counts += torch.bincount(slot, minlength=slots)
        features = chunk.features.double()
        sums.index_add_(0, slot, unit_rows(features) if unit else features)
    require_finite(sums)
    return counts, sums


def require_finite(*found: Tensor, what: str = "features") -> None:
    """Raise NotApplicableError unless all entries are finite. what: "logits", where they are made of these alone."""
    if not all(bool(one.isfinite().all()) for one in found):
        raise not_finite(what)


def not_finite(what: str = "features") -> NotApplicableError:
    """The error where a scorer is to learn from what holds NaN or infinite values."""
    return NotApplicableError(f"the {what} to learn from hold NaN or infinite values; extract them in float32 or bfloat16")


def require_labels(outputs: Outputs) -> None:
    """Raise NotApplicableError unless every image has a class, OutputsError where the head has no such class."""
    if missing := int((outputs.labels < 0).sum()):
        raise NotApplicableError(f"learns from labelled images, but {missing} of {len(outputs)} have no label; give class folders")
    _require_known_classes(outputs)


def _require_known_classes(outputs: Outputs) -> None:
    largest, classes = int(outputs.labels.max()), outputs.num_classes
    if largest >= classes:
        raise OutputsError(f"a label is {largest}, but the head has {classes} classes, numbered from 0; check the class order")


def unit_rows(features: Tensor) -> Tensor:
    """(N, D) rows divided by their Euclidean norm; a row of zeros stays zero.

    Each row is first multiplied by a power of two, which is exact and keeps the squares of entries from 1e19 on finite.
    """
    largest = torch.linalg.vector_norm(features, ord=torch.inf, dim=1, keepdim=True)
    scaled = features * torch.exp2(-torch.log2(largest).floor()).nan_to_num()  # frexp has no form in ONNX
    norms = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    unit: Tensor = scaled / norms.clamp(min=torch.finfo(features.dtype).tiny)
    return unit


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
