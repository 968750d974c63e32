"""The last layer refitted by stochastic gradient descent, as the paper does it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.solvers.cross_entropy import sums

BUFFER = 16  # batches that are fetched together: rows are picked from every shard, which is slow for a few of them at a time


@dataclass(frozen=True)
class Settings:
    """Those of a public reproduction, ``heads/train_head_lambda_T.py`` of anonymousneurissubmission-dotcom/ColdSKD.

    The paper's own are not known. The rate falls to 0 along a cosine, a little with every step.
    """

    rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    batch: int = 512
    epochs: int = 20


def descend(
    outputs: Outputs,
    head: Head,
    settings: Settings = Settings(),
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Head, int]:
    """The head after training on labelled outputs, and the number of steps; features as they are stored, widened to float32.

    Every epoch goes through all images in an order drawn by ``seed``, which is the same however they lie in shards; a last batch
    that is smaller counts as the others do. progress: called after each buffer with the steps so far and all there will be.
    """
    weight, bias = (one.detach().to(outputs.device, torch.float32, copy=True) for one in (head.weight, head.bias))
    optimizer = torch.optim.SGD([weight, bias], settings.rate, settings.momentum, weight_decay=settings.weight_decay)
    steps = settings.epochs * -(-len(outputs) // settings.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    generator = torch.Generator().manual_seed(seed)
    done = 0
    for _ in range(settings.epochs):
        for rows in torch.split(torch.randperm(len(outputs), generator=generator), BUFFER * settings.batch):
            for batch in outputs.subset(rows).chunks(settings.batch):
                features = batch.features.float()
                _, by_weight, by_bias = sums(features, batch.labels, weight, bias)
                weight.grad, bias.grad = by_weight / len(features), by_bias / len(features)
                optimizer.step()
                schedule.step()
                done += 1
            if progress:
                progress(done, steps)
    return replace(head, weight=weight, bias=bias), done
