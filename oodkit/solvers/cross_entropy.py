"""Plain cross-entropy of a linear head, and its gradient, over outputs of any size in bounded memory."""

import torch
from torch import Tensor
from torch.nn import functional

from oodkit.head import Head
from oodkit.outputs import Outputs

PASS_ROWS = 2048  # at a time; of larger chunks a seventh of the time goes into memory that is asked for and given back each time


def mean_loss(outputs: Outputs, head: Head) -> float:
    """The mean of −log softmax(logits)_y, in nats, over labelled outputs; one chunk at a time, summed in float64."""
    head = head.to(outputs.device)
    total = torch.zeros((), dtype=torch.float64, device=outputs.device)
    for chunk in outputs.chunks(PASS_ROWS):
        total += functional.cross_entropy(head(chunk.features).double(), chunk.labels, reduction="sum")
    return float(total) / len(outputs)


def sums(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The summed loss in float64, and its gradients by the weight (C, D) and the bias (C,), in the features' precision.

    features: (n, D). labels: (n,). With P the softmax of the logits and Y the labels one-hot: (P − Y)ᵀ features and Σ (P − Y).
    """
    log_p = functional.linear(features, weight, bias).log_softmax(1)
    loss = -log_p.gather(1, labels[:, None]).sum(dtype=torch.float64)
    residual = log_p.exp_()
    residual.scatter_add_(1, labels[:, None], residual.new_full((len(labels), 1), -1))
    return loss, residual.mT @ features, residual.sum(0)
