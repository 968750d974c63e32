"""How sure a softmax is of its first class, where 1 − p rounds to nothing."""

import torch
from torch import Tensor


def log_sigmoid(odds: Tensor) -> Tensor:
    """log(1 / (1 + e^−x)). torch's own becomes log(sigmoid(x)) in ONNX, whose sigmoid is 0 from −40 on."""
    return odds.clamp(max=0) - (-odds.abs()).exp().log1p()


def log_odds(logits: Tensor) -> Tensor:
    """(n,) float64: log p − log(1 − p) of the largest softmax probability p, for logits (n, C); infinite for C = 1.

    It is the largest logit less the log-sum-exp of the others, so it stays precise where p rounds to 1. Its log_sigmoid is log p,
    and that of its negative is log(1 − p).
    """
    logits = logits.double()
    largest, column = logits.max(1, keepdim=True)
    return largest.squeeze(1) - logits.scatter(1, column, -torch.inf).logsumexp(1)
