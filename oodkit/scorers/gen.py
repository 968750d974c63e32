"""Generalised entropy."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer
from oodkit.scorers.common.odds import log_odds, log_sigmoid


@dataclass
class Gen(Scorer):
    """−Σ p_c^γ (1 − p_c)^γ over the m largest entries of p = softmax(z); in [−m / 4^γ, 0].

    Liu, Lochman and Zach, "GEN: Pushing the Limits of Softmax-Based Out-of-Distribution Detection", CVPR 2023; XixiLiu95/GEN.
    Learns nothing. Both presets agree.
    gamma: γ, above 0; 0.1. The smaller, the more the small probabilities count. m: at least 1; 100, the authors' value for
    ImageNet. Of a network with fewer classes all count.

    In float64, with 1 − p of the largest p from the other logits, so that confident images do not tie. pytorch-ood divides by m,
    which ranks alike.

    Fails where ``msp`` does: it reads the softmax alone, which knows nothing of the size of the features.
    """

    name = "gen"
    title = "Generalised entropy"
    paper = "CVPR 2023"
    uses = "logits"
    grid: ClassVar = {"gamma": (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0), "m": (10, 50, 100, 200, 500, 1000)}

    gamma: float = 0.1
    m: int = 100

    def __post_init__(self) -> None:
        self.require(self.gamma > 0, "a gamma above 0")
        self.require(self.m >= 1, "m of at least 1")

    def _score(self, chunk: Outputs) -> Tensor:
        largest = chunk.logits.topk(min(self.m, chunk.num_classes), dim=1).values.double()
        odds = log_odds(chunk.logits)
        log_p = largest - largest[:, :1] + log_sigmoid(odds)[:, None]
        log_rest = (-log_p.exp()).log1p()  # all but the first are at most 1/2, where 1 − p loses nothing
        log_rest[:, 0] = log_sigmoid(-odds)
        scores: Tensor = -(self.gamma * (log_p + log_rest)).exp().sum(1)
        return scores
