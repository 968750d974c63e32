"""The last layer refitted by L-BFGS: every image in every step, deterministic, down to a gap that the gradient proves."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from oodkit.head import Head
from oodkit.moments import counted, moments
from oodkit.outputs import Outputs
from oodkit.solvers.cross_entropy import PASS_ROWS, sums

DAMPING = 0.01  # of the mean variance, added to each direction's: what hardly varies among the images must not count as much
HISTORY = 10  # pairs of vectors that the curvature is taken from; each pair takes 16 · C · D bytes
GAP = 1e-3  # nats; as a rule it lies several times closer by then, for the loss is curved more than the penalty alone
TRIALS = 15  # of a line search, which as a rule needs one
DECREASE = 1e-4  # of what the slope promises, which a step must bring at least
MOMENT_IMAGES = 16  # for each feature, from which the coordinates are taken: all of them would cost as much as another pass


@dataclass(frozen=True, eq=False)
class Coordinates:
    """In which a correction of the head is small or large: features less ``mean`` (D,), times ``whitener`` (D, r), in float64.

    The r directions are the principal ones; a direction of variance v is divided by √(v + 0.01 · the mean variance).
    """

    mean: Tensor
    whitener: Tensor

    @classmethod
    def of(cls, outputs: Outputs) -> "Coordinates":
        """Those of these features, of a draw where there are many. Raises NotApplicableError for none, or not finite ones."""
        found = moments(_some(outputs))
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

    def loss_and_gradient(self, correction: Tensor) -> tuple[Tensor, Tensor]:
        """The mean cross-entropy and its gradient by the correction, without the penalty, which ``Point.penalised`` adds.

        Float64; products in the features' precision, a chunk at a time.
        """
        head, mean = self.coordinates.corrected(self.head, correction), self.coordinates.mean
        offset = head.bias + head.weight @ mean  # of centred features: large common values would cost digits
        loss, by_weight, by_bias = (torch.zeros_like(one) for one in (mean.sum(), head.weight, head.bias))
        for chunk in self.outputs.chunks(PASS_ROWS):
            features = chunk.features - mean.to(chunk.features)
            found = sums(features, chunk.labels, head.weight.to(features), offset.to(features))
            for total, own in zip((loss, by_weight, by_bias), found, strict=True):
                total.add_(own)
        gradient = torch.cat([by_weight @ self.coordinates.whitener, by_bias[:, None]], dim=1)
        return loss / len(self.outputs), gradient / len(self.outputs)


@dataclass(frozen=True, eq=False)
class Point:
    """A correction (C, r + 1), the mean cross-entropy there and its gradient; without the penalty, which changes along a path."""

    at: Tensor
    loss: float
    gradient: Tensor

    def penalised(self, l2: float) -> tuple[float, Tensor]:
        return self.loss + l2 / 2 * float(self.at.square().sum()), self.gradient + l2 * self.at


@dataclass(frozen=True, eq=False)
class Memory:
    """The last steps and how the gradient changed along them, the penalty left out: the curvature, whatever the strength."""

    pairs: tuple[tuple[Tensor, Tensor], ...] = ()

    def after(self, before: Point, after: Point) -> "Memory":
        step, change = after.at - before.at, after.gradient - before.gradient
        if float((step * change).sum()) <= 0:  # rounding outweighs the curvature
            return self
        return Memory((*self.pairs, (step, change))[-HISTORY:])

    def direction(self, gradient: Tensor, l2: float) -> Tensor:
        """−(approximate Hessian)⁻¹ gradient; algorithm 7.4 of Nocedal and Wright, Numerical Optimization, 2nd edition."""
        pairs = [(step, change + l2 * step) for step, change in self.pairs]
        direction, shares = -gradient, []
        for step, change in reversed(pairs):
            shares.append((step * direction).sum() / (step * change).sum())
            direction = direction - shares[-1] * change
        if pairs:
            step, change = pairs[-1]
            direction = direction * ((step * change).sum() / change.square().sum())
        else:  # twice the curvature of zero weights: a longer first step takes more passes in the end
            direction = direction / (2 / len(gradient) + l2)
        for (step, change), share in zip(pairs, reversed(shares), strict=True):
            direction = direction + step * (share - (change * direction).sum() / (step * change).sum())
        return direction


@dataclass(frozen=True, eq=False)
class Solution:
    """What was found. point: where. passes: how often all images were gone through. gradient: the norm of the objective's.

    gap: at most how far the objective lies above its minimum, ‖gradient‖² / (2 · l2), for it is l2-strongly convex. memory: of the
    curvature, for another strength.
    """

    point: Point
    passes: int
    gradient: float
    gap: float
    converged: bool
    memory: Memory

    @property
    def correction(self) -> Tensor:
        """(C, r + 1)."""
        return self.point.at


def solve(
    problem: Problem,
    l2: float,
    *,
    start: Tensor | Solution | None = None,
    gap: float = GAP,
    max_passes: int = 500,
    progress: Callable[[int, float], None] | None = None,
) -> Solution:
    """Minimise until the objective is proven to lie at most ``gap`` nats above its minimum: ‖gradient‖ ≤ √(2 · l2 · gap).

    start: (C, r + 1), where to begin, zeros where it is left out; or the solution of the same problem with another strength, which
    spares the first pass and knows the curvature. progress: called after each step with the passes so far and the gap. It ends
    earlier, not converged, after ``max_passes`` or where rounding lets no step lower the objective.
    """
    passes = _Passes(problem)
    if isinstance(start, Solution):
        point, memory = start.point, start.memory
    else:
        point, memory = passes.point(problem.start() if start is None else start), Memory()
    while True:
        norm = float(point.penalised(l2)[1].norm())
        found = norm**2 / (2 * l2)
        if progress:
            progress(passes.count, found)
        if found <= gap or passes.count >= max_passes:
            break
        after = _step(passes, point, memory, l2)
        if after is None:
            break
        point, memory = after, memory.after(point, after)
    return Solution(point, passes.count, norm, found, found <= gap, memory)


class _Passes:
    """Through all images, counted."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.count = problem, 0

    def point(self, at: Tensor) -> Point:
        self.count += 1
        loss, gradient = self.problem.loss_and_gradient(at)
        return Point(at, float(loss), gradient)


def _step(passes: _Passes, before: Point, memory: Memory, l2: float) -> Point | None:
    """A step that lowers the objective; None where none does. Where the first goes too far, on to where the slope would be 0."""
    objective, gradient = before.penalised(l2)
    direction = memory.direction(gradient, l2)
    slope, length = float((gradient * direction).sum()), 1.0
    for _ in range(TRIALS):
        after = passes.point(before.at + length * direction)
        reached, gradient = after.penalised(l2)
        if reached <= objective + DECREASE * length * slope:
            return after
        end = float((gradient * direction).sum())
        length *= min(max(slope / (slope - end), 0.1), 0.7) if end > slope else 0.1
    return None


def _some(outputs: Outputs) -> Outputs:
    most = MOMENT_IMAGES * outputs.num_features
    if len(outputs) <= most:
        return outputs
    return outputs.subset(torch.randperm(len(outputs), generator=torch.Generator().manual_seed(0))[:most])
