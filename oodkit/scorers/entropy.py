"""Entropy of the softmax."""

from dataclasses import dataclass

import torch
from torch import Tensor

from oodkit.outputs import Outputs
from oodkit.scorers.base import Scorer


@dataclass
class Entropy(Scorer):
    """Σ_c p_c log p_c, the negative Shannon entropy of p = softmax(z), in nats; in [−log C, 0].

    Shannon, Bell System Technical Journal 27, 1948; as a baseline in Liu, Lochman and Zach, CVPR 2023 (XixiLiu95/GEN,
    benchmark.py) and in pytorch-ood. Not in OpenOOD. Learns nothing and has no settings. In float64, with 0 · log 0 = 0.

    Fails where ``msp`` does: it reads the softmax alone, which knows nothing of the size of the features.
    """

    name = "entropy"
    title = "Entropy"
    paper = "doi:10.1002/j.1538-7305.1948.tb01338.x"
    uses = "logits"

    def _score(self, chunk: Outputs) -> Tensor:
        entropy: Tensor = torch.special.entr(chunk.logits.double().softmax(1)).sum(1)
        return -entropy
