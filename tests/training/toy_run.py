"""A training of milliseconds in which everything that can be lost on the way changes: weights, running statistics, dropout, buffers
of a recipe that draws at random, momentum.
"""

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from oodkit.training.batch import Batch, Found
from oodkit.training.checkpoints import Checkpoints
from oodkit.training.folder import LAST
from oodkit.training.learner import Learner
from oodkit.training.log import Log
from oodkit.training.loop import Reached, learn
from oodkit.training.processes import join_processes
from oodkit.training.settings import Settings

STEPS, EPOCHS, CLASSES = 5, 3, 4
SGD = Settings(epochs=EPOCHS, batch_size=6, lr=0.1)
ADAMW = Settings(epochs=EPOCHS, batch_size=6, lr=0.01, optimizer="adamw", ema=True, norm_weight_decay=0.0, warmup=1.0)


class ToyNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(5, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.drop(self.norm(self.conv(images)).relu().mean((2, 3))))


class Memory(nn.Module):
    """What a recipe may keep beside the network: something learnt, a queue, and where in it the next entry goes."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("queue", torch.zeros(7, CLASSES))
        self.register_buffer("next", torch.zeros((), dtype=torch.long))


def remembering(learner: Learner, batch: Batch) -> Found:
    """Cross-entropy of noisy images, and a pull towards what was remembered of earlier batches."""
    logits = learner.logits(batch.images + 0.1 * torch.randn_like(batch.images)) * learner.extra.scale
    pull = 0.1 * (logits.mean(0) - learner.extra.queue.mean(0)).square().sum() * (1 + batch.progress)
    with torch.no_grad():
        learner.extra.queue[int(learner.extra.next) % 7] = logits.mean(0)
        learner.extra.next += 1
    return Found({"cross-entropy": cross_entropy(logits, batch.labels), "pull": pull}, logits.argmax(1) == batch.labels)


def plain(learner: Learner, batch: Batch) -> Found:
    logits = learner.logits(batch.images)
    return Found({"cross-entropy": cross_entropy(logits, batch.labels)}, logits.argmax(1) == batch.labels)


def toy_learner(loss: Callable[[Learner, Batch], Found] = remembering) -> Learner:
    torch.manual_seed(3)
    return Learner(ToyNet(), "head", 5, Memory(), loss)


def toy_batch(step: int, size: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(step)
    return Batch((torch.randn(size, 3, 6, 6, generator=generator),), torch.randint(CLASSES, (size,), generator=generator))


def toy_batches(start: int, stop: int) -> Iterable[Batch]:
    return map(toy_batch, range(start, stop))


def train(
    folder: Path, settings: Settings = SGD, *, batches: Any = toy_batches, learner: Learner | None = None, **more: Any
) -> Learner:
    checkpoints = more.pop("checkpoints", None) or Checkpoints(folder)
    return learn(
        learner or toy_learner(),
        batches,
        settings,
        steps_per_epoch=STEPS,
        accelerator=join_processes(device="cpu", amp=settings.amp),
        checkpoints=checkpoints,
        log=Log(folder),
        **more,
    )


def saved(folder: Path) -> dict[str, Tensor]:
    """All that a checkpoint holds: weights, buffers, their average, the optimiser's state."""
    from safetensors.torch import load_file

    return load_file(folder / LAST)


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    different = [name for name in expected if not torch.equal(found[name], expected[name])]
    assert not different


def state_of(learner: Learner) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in learner.state_dict().items()}


def failing_at(step: int, error: BaseException) -> Callable[[Learner, Batch], Found]:
    """The recipe's loss, which fails in the middle of a step, after it has changed the buffers."""
    seen: list[None] = []

    def loss(learner: Learner, batch: Batch) -> Found:
        found = remembering(learner, batch)
        seen.append(None)
        if len(seen) == step:
            raise error
        return found

    return loss


def signalling_after(step: int, number: int = signal.SIGTERM) -> Callable[[Reached], None]:
    return lambda reached: os.kill(os.getpid(), number) if reached.step == step else None
