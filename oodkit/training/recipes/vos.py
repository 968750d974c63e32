"""VOS: outliers drawn from the rim of each class's Gaussian in feature space, which the energy learns to tell apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Chi2
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from oodkit.training.batch import Batch, Found
from oodkit.training.class_queue import ClassQueue
from oodkit.training.learner import Learner
from oodkit.training.recipes.base import Recipe

JITTER = 1e-4  # on the covariance's diagonal, the authors'
ROUNDING = 1e-6  # of its trace, on the diagonal too: what a float32 product may be off by


@dataclass
class VOS(Recipe):
    """L = −log softmax(v)[y] + weight · mean of −log σ(φ(F(v))) over images and −log σ(−φ(F(v))) over virtual outliers.

    F(v) = log Σ_c w_c exp(v_c), w > 0, and φ(F) = a F + b; w, a and b are learnt. Images are cropped and flipped, as in v1. Du et
    al., VOS: Learning What You Don't Know by Virtual Outlier Synthesis, ICLR 2022, arXiv:2202.01197, section 3.
    A virtual outlier is what the last layer makes of a feature: of ``sample_from`` draws from a class's Gaussian, with the mean
    of its queue and the covariance of all queues about their means, the ``select`` of smallest likelihood. Queues hold the latest
    ``sample_number`` features of each class, fewer where they would take more than 512 MiB (see ``ClassQueue``: 65 for
    ImageNet-1K with ResNet-50). The second term begins once every queue is full and the share ``start`` of the training is done;
    until then, and where a class has too few images for its queue ever to fill, it is 0, and training is plain cross-entropy.
    weight 0.1, sample_number 1000, sample_from 10000, select 1, start 0.4 (40 of 100 epochs) are the authors'; OpenOOD v1.5's
    differ in start=0.

    Departures: draws are made by their likelihoods alone, a χ² variate each, and a direction for those that are kept, which has
    the same distribution at a small part of the work. w = exp(u), where the authors' ReLU may silence a class for good; w = 1, a
    = 1 and b = 0 at first, where theirs are random. The gradient flows through the images' energies, as in the authors' code; in
    OpenOOD's it does not, since it clamps them at −1 outside the graph.

    What to expect: over a linear last layer F is convex in the feature, so that outliers on opposite sides of a class's mean have
    on average at least the mean's F. The term tells them from images only as far as the classes' features are not Gaussian.
    """

    name = "vos"
    title = "Virtual outlier synthesis"
    paper = "arXiv:2202.01197"
    scored_by = ("ebo",)
    leaves_unused = True
    needs_linear_head = True

    weight: float = 0.1
    sample_number: int = 1000
    sample_from: int = 10000
    select: int = 1
    start: float = 0.4

    def __post_init__(self) -> None:
        self.require(self.weight >= 0, "a weight of 0 or more")
        self.require(self.sample_number >= 2, "a sample_number of 2 or more")
        self.require(1 <= self.select <= self.sample_from, "a select from 1 to sample_from")
        self.require(0 <= self.start < 1, "a start from 0, and below 1")

    def modules(self, num_classes: int, num_features: int) -> nn.Module:
        return Energies(num_classes, ClassQueue(num_classes, num_features, self.sample_number))

    def loss(self, learner: Learner, batch: Batch) -> Found:
        features, logits = learner.features_and_logits(batch.images)
        energies = learner.extra
        assert isinstance(energies, Energies)
        if learner.training:
            energies.queue.push(features, batch.labels)
        parts = {"cross-entropy": cross_entropy(logits, batch.labels), "uncertainty": torch.zeros((), device=logits.device)}
        if batch.progress >= self.start and energies.queue.is_full:
            with torch.autocast(logits.device.type, enabled=False):
                outliers = learner.classify(virtual_outliers(energies.queue.rows, self.sample_from, self.select))
                known, unknown = energies(logits.float()), energies(outliers)
                parts["uncertainty"] = self.weight * apart(known, unknown)
        return Found(parts, logits.argmax(1) == batch.labels)

    def finish(self, net: nn.Module, head: str, extra: nn.Module) -> Mapping[str, str]:
        untouched = not extra.get_parameter("log_weights").any()
        return {"note": NEVER_FULL} if untouched and self.weight else {}

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "loss": "cross-entropy with virtual outliers"}


NEVER_FULL = (
    "no outlier was ever synthesised for training, since the queue of some class was not full in time; "
    "more epochs or a smaller sample_number fill it"
)


class Energies(nn.Module):
    """φ(F(v)) of logits v (n, C), (n,): the log-odds that they are of an image of one of the classes."""

    def __init__(self, num_classes: int, queue: ClassQueue) -> None:
        super().__init__()
        self.queue = queue
        self.log_weights = nn.Parameter(torch.zeros(num_classes))
        self.slope = nn.Parameter(torch.ones(()))
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, logits: Tensor) -> Tensor:
        return self.slope * (logits + self.log_weights).logsumexp(1) + self.offset


def virtual_outliers(rows: Tensor, sample_from: int, select: int) -> Tensor:
    """Of ``sample_from`` draws from each class's Gaussian, the ``select`` of smallest density: (C · select, D).

    rows: (C, n, D), the features of each class. A draw is mean + L z with z ~ N(0, I) and L Lᵀ the shared covariance; its density
    falls with ‖z‖² ~ χ²(D), which does not depend on z's direction: lengths are drawn first, and directions for the longest alone.
    """
    classes, _, width = rows.shape
    means = rows.mean(1)
    factor = shared_factor(rows - means[:, None])
    squared = Chi2(rows.new_tensor(float(width)), validate_args=False).sample((classes, sample_from))
    length = squared.topk(select, dim=1).values.sqrt()
    direction = nn.functional.normalize(torch.randn(classes, select, width, device=rows.device), dim=2)
    return (means[:, None] + (length[:, :, None] * direction) @ factor.T).flatten(0, 1)


def shared_factor(deviations: Tensor) -> Tensor:
    """L (D, D), lower triangular, with L Lᵀ = mean over C · n of d dᵀ + (1e-4 + 1e-6 · its trace) I, of deviations d (C, n, D)."""
    flat = deviations.flatten(0, 1)
    covariance = flat.T @ flat / len(flat)
    wide = covariance if covariance.device.type == "mps" else covariance.double()
    wide.diagonal().add_(JITTER + ROUNDING * covariance.trace())
    factor: Tensor = torch.linalg.cholesky_ex(wide).L  # NaN where the features are not finite, for the loop to find in the loss
    return factor.to(deviations)


def apart(known: Tensor, unknown: Tensor) -> Tensor:
    """Logistic loss of log-odds (n,) that are to be high and (m,) that are to be low: the mean over all n + m."""
    odds, targets = torch.cat([known, unknown]), torch.cat([torch.ones_like(known), torch.zeros_like(unknown)])
    loss: Tensor = binary_cross_entropy_with_logits(odds, targets)
    return loss
