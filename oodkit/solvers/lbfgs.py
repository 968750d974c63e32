"""The last layer refitted by L-BFGS: every image in every step, deterministic, down to a gap that the gradient proves."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from oodkit.head import Head
from oodkit.moments import counted, moments
from oodkit.outputs import Outputs
from oodkit.solvers.cross_entropy import sums

DAMPING = 0.01  # of the mean variance, added to each direction's: what hardly varies among the images must not count as much
HISTORY = 10  # pairs of vectors that the curvature is taken from; each pair takes 16 · C · D bytes
GAP = 1e-3  # nats; as a rule it lies ten times closer by then, for the loss is curved more than the penalty alone
TRIALS = 20  # of a line search, which as a rule needs one


@dataclass(frozen=True, eq=False)
class Coordinates:
    """In which a correction of the head is small or large: features less ``mean`` (D,), times ``whitener`` (D, r), in float64.

    The r directions are the principal ones; a direction of variance v is divided by √(v + 0.01 · the mean variance).
    """

    mean: Tensor
    whitener: Tensor

    @classmethod
    def of(cls, outputs: Outputs) -> "Coordinates":
        """Those of these features. Raises NotApplicableError where they are not finite, or there are none."""
        found = moments(outputs)
        values, vectors = found.eigenpairs()
        kept = counted(values, len(found.mean))
        values, vectors = values[kept], vectors[:, kept]
        centre = found.mean.float().double()  # which float32 features can be centred by without rounding it
        return cls(centre, vectors / (values + DAMPING * values.sum() / len(found.mean)).sqrt())

    def corrected(self, head: Head, correction: Tensor) -> Head:
        """The head, in float64, with the correction (C, r + 1) added, whose last column is that of the mean feature's logits."""
        change = correction[:, :-1] @ self.whitener.mT
        weight, bias = (one.to(self.mean) for one in (head.weight, head.bias))
        return replace(head, weight=weight + change, bias=bias + correction[:, -1] - change @ self.mean)


@dataclass(frozen=True, eq=False)
class Problem:
    """Minimise over θ (C, r + 1): the mean cross-entropy of ``head`` corrected by θ, plus l2/2 · ‖θ‖².

    The penalty pulls towards ``head``, not to zero: what the images say nothing of stays as it is. It makes the problem strictly
    convex, so that there is one solution whatever the labels, and classes without images keep finite logits.
    """

    outputs: Outputs
    head: Head
    coordinates: Coordinates

    def start(self) -> Tensor:
        """(C, r + 1) zeros: no correction."""
        return self.coordinates.mean.new_zeros(self.head.num_classes, self.coordinates.whitener.shape[1] + 1)

    def loss_and_gradient(self, correction: Tensor, l2: float) -> tuple[Tensor, Tensor]:
        """The objective and its gradient by the correction, float64; products in the features' precision, a chunk at a time."""
        head, mean = self.coordinates.corrected(self.head, correction), self.coordinates.mean
        offset = head.bias + head.weight @ mean  # of centred features: large common values would cost digits
        loss, by_weight, by_bias = (torch.zeros_like(one) for one in (mean.sum(), head.weight, head.bias))
        for chunk in self.outputs.chunks():
            features = chunk.features - mean.to(chunk.features)
            found = sums(features, chunk.labels, head.weight.to(features), offset.to(features))
            for total, own in zip((loss, by_weight, by_bias), found, strict=True):
                total.add_(own)
        gradient = torch.cat([by_weight @ self.coordinates.whitener, by_bias[:, None]], dim=1) / len(self.outputs)
        return loss / len(self.outputs) + l2 / 2 * correction.square().sum(), gradient + l2 * correction


@dataclass(frozen=True, eq=False)
class Solution:
    """What was found. correction: (C, r + 1). passes: how often all images were gone through. gradient: its Euclidean norm there.

    gap: at most how far the objective lies above its minimum, ‖gradient‖² / (2 · l2), for it is l2-strongly convex.
    """

    correction: Tensor
    passes: int
    gradient: float
    gap: float
    converged: bool


def solve(
    problem: Problem,
    l2: float,
    *,
    start: Tensor | None = None,
    gap: float = GAP,
    max_passes: int = 500,
    progress: Callable[[int, float], None] | None = None,
) -> Solution:
    """Minimise until the objective is proven to lie at most ``gap`` nats above its minimum: ‖gradient‖ ≤ √(2 · l2 · gap).

    start: (C, r + 1), where to begin; zeros where it is left out. progress: called after each step with the passes so far and the
    gap. It ends earlier, not converged, after ``max_passes`` or where rounding lets no step lower the objective.
    """
    at = (problem.start() if start is None else start.clone()).requires_grad_()
    evaluation = _Evaluation(at, partial(problem.loss_and_gradient, l2=l2))
    optimizer = torch.optim.LBFGS(
        [at], max_iter=1, max_eval=TRIALS, history_size=HISTORY, line_search_fn="strong_wolfe", tolerance_grad=0, tolerance_change=0
    )
    evaluation()
    length = 1 / (1 / problem.head.num_classes + l2)  # the first step has no curvature yet; that of zero weights is about 1 / C
    optimizer.param_groups[0]["lr"] = length * max(1.0, float(evaluation.gradient.abs().sum()))  # which PyTorch divides by
    while True:
        norm = float(evaluation.gradient.norm())
        found = norm**2 / (2 * l2)
        if progress:
            progress(evaluation.passes, found)
        if found <= gap or evaluation.passes >= max_passes:
            break
        before = at.detach().clone()
        optimizer.step(evaluation)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        optimizer.param_groups[0]["lr"] = 1
        evaluation()
        if torch.equal(before, at):
            break
    return Solution(at.detach(), evaluation.passes, norm, found, found <= gap)


class _Evaluation:
    """The objective as L-BFGS asks for it, which asks for the same point at the end of a step and at the start of the next."""

    def __init__(self, at: Tensor, function: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        self.at, self.function = at, function
        self.seen: Tensor | None = None
        self.passes = 0

    @torch.no_grad()
    def __call__(self) -> float:
        if self.seen is None or not torch.equal(self.seen, self.at):
            loss, self.gradient = self.function(self.at.detach())
            self.loss, self.seen = float(loss), self.at.detach().clone()
            self.at.grad = self.gradient
            self.passes += 1
        return self.loss
