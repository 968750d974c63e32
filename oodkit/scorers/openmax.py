"""OpenMax: logits revised by how far they lie from their class's mean."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.errors import NotApplicableError
from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer, State
from oodkit.stats import require_finite, require_labels

ROUNDING = 1e-9  # distances that differ by less than this share of the logits are one distance
BISECTIONS = 60  # halve the interval until float64 tells its ends no longer apart


@dataclass
class OpenMax(Scorer):
    """lse(z') − z_u: what the α best classes keep of their logits against what goes to the unknown, z_u = Σ_c (z_c − z'_c).

    Bendale and Boult, CVPR 2016, arXiv 1511.06233; OpenOOD's openmax_postprocessor.py. z'_c = z_c (1 − ω_c F_c(‖z − v_c‖)), where
    v_c is the mean logit vector of the ID training images of class c that the network classifies correctly, F_c a Weibull
    distribution fitted to their largest distances from it, and ω = 1, (α − 1)/α, … 1/α for the α largest logits, else 0. It ranks
    as the original's −exp(z_u) / (Σ_c exp z'_c + exp z_u), which overflows. Learns from labelled training images.
    tail: how many of the largest distances of a class, at least 2; 20. alpha: 1 to the number of classes, clipped to it; 3.

    libmr, which the original fits with, moves the tail to 10000 + (d − min d) before it fits a Weibull from 0. So far from 0 that
    is a Gumbel distribution, F(d) = 1 − exp(−exp((d − m)/s)), to 2e-4; its likelihood has one maximum, found here by bisection. A
    class with fewer correct images than ``tail`` is fitted to those it has; one without two different distances keeps its logits
    (F = 0).

    Weak: 58 near and 61 far on the tensors that OpenOOD's figures are compared on, where the maximal logit has 95 and 94. An image
    among the farthest of its own class loses as much as an OOD image, and what is taken from a negative logit raises it.
    """

    name = "openmax"
    title = "OpenMax"
    paper = "arXiv:1511.06233"
    uses = "logits"
    fits_on = "train"

    tail: int = 20
    alpha: int = 3

    def __post_init__(self) -> None:
        self.require(self.tail >= 2 and self.alpha >= 1, "a tail of at least 2 and an alpha of at least 1")

    def _fit(self, outputs: Outputs) -> State:
        require_labels(outputs)
        counts, means = _mean_logits(outputs)
        lengths = means.norm(dim=1)
        require_finite(lengths, what="logits")
        if not counts.any():
            raise NotApplicableError("openmax learns from images that the network classifies correctly; there are none among these")
        tails = _largest_distances(outputs, means, self.tail)
        location, scale = gumbel(tails, least=ROUNDING * (lengths + tails.amax(1).clamp(min=0)))
        alpha = torch.tensor(min(self.alpha, outputs.num_classes))
        return {"means": means, "location": location, "scale": scale, "correct": counts, "alpha": alpha}

    def caution(self, outputs: Outputs) -> str | None:
        if self.state is None or not (short := int((self.state["correct"] < self.tail).sum())):
            return None
        left = int(self.state["location"].isinf().sum())
        also = f", of which {left} too few to fit, so that their logits stay as they are" if left else ""
        return f"{short} of {len(self.state['correct'])} classes have fewer than {self.tail} correctly classified images{also}"

    def _score(self, chunk: Outputs) -> Tensor:
        logits = chunk.logits.double()
        means, location, scale = (self.learnt(name, logits) for name in ("means", "location", "scale"))
        alpha = int(self.settings()["alpha"])
        leading, classes = logits.topk(alpha, dim=1)
        taken = torch.zeros_like(logits)
        for rank in range(alpha):
            own = classes[:, rank]
            distance = (logits - means[own]).norm(dim=1)
            unknown = -torch.expm1(-((distance - location[own]) / scale[own]).exp())
            taken.scatter_(1, own[:, None], ((1 - rank / alpha) * unknown * leading[:, rank])[:, None])
        return (logits - taken).logsumexp(1) - taken.sum(1)


def _correct(chunk: Outputs) -> tuple[Tensor, Tensor]:
    """The labels (m,) and logits (m, C), in float64, of the images classified correctly."""
    right = chunk.logits.argmax(1) == chunk.labels
    return chunk.labels[right], chunk.logits[right].double()


def _mean_logits(outputs: Outputs) -> tuple[Tensor, Tensor]:
    """(C,) how many images of each class are classified correctly, and (C, C) their mean logits, zeros where there are none."""
    classes = outputs.num_classes
    counts = torch.zeros(classes, dtype=torch.int64, device=outputs.device)
    sums = torch.zeros(classes, classes, dtype=torch.float64, device=outputs.device)
    for chunk in outputs.chunks():
        labels, logits = _correct(chunk)
        counts += torch.bincount(labels, minlength=classes)
        sums.index_add_(0, labels, logits)
    return counts, sums.div_(counts.clamp(min=1)[:, None])


def _largest_distances(outputs: Outputs, means: Tensor, tail: int) -> Tensor:
    """(C, tail): the largest ‖z − v_c‖ of each class's correct images in descending order, −∞ where there are no more."""
    tails = means.new_full((len(means), tail), -torch.inf)
    for chunk in outputs.chunks():
        labels, logits = _correct(chunk)
        distances, order = (logits - means[labels]).norm(dim=1).sort(descending=True)
        by_class = labels[order].argsort(stable=True)
        labels, distances = labels[order][by_class], distances[by_class]
        counts = torch.bincount(labels, minlength=len(means))
        place = torch.arange(len(labels), device=labels.device) - (counts.cumsum(0) - counts)[labels]
        among = place < tail
        own = torch.full_like(tails, -torch.inf)
        own[labels[among], place[among]] = distances[among]
        tails = torch.cat([tails, own], dim=1).topk(tail, dim=1).values
    return tails


def gumbel(values: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    """The location m and scale s, each (C,), of the likeliest F(x) = 1 − exp(−exp((x − m)/s)) for each row of ``values``.

    values: (C, n), −∞ where a row has fewer. The likelihood is largest where Σ x e^(x/s) / Σ e^(x/s) − mean x = s, whose left side
    falls as s grows, from max x − mean x at 0. least: (C,), below which max x − mean x counts as nothing: m = ∞, s = 1, F = 0.
    """
    present = values.isfinite()
    counts = present.sum(1)
    top = values.amax(1)
    below = torch.where(present, top[:, None] - values, 0)  # how far below the largest, whose exponentials can't overflow
    spread = below.sum(1) / counts.clamp(min=1)
    fitted = spread > least
    weighable = torch.where(present, -below, -torch.inf)[fitted]
    low, high = torch.zeros_like(spread[fitted]), spread[fitted]
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        weights = (weighable / middle[:, None]).softmax(1)
        more = spread[fitted] - (weights * below[fitted]).sum(1) > middle
        low, high = torch.where(more, middle, low), torch.where(more, high, middle)
    location, scale = torch.full_like(spread, torch.inf), torch.ones_like(spread)
    location[fitted] = top[fitted] + high * ((weighable / high[:, None]).logsumexp(1) - counts[fitted].log())
    scale[fitted] = high
    return location, scale
