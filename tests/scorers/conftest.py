"""A toy classifier's outputs that every scorer should separate, 4 classes, 32 features; how large the tensors on the way are."""

from dataclasses import dataclass

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS

CLASSES, WIDTH = 4, 32


@dataclass
class Toy:
    head: Head
    train: Outputs
    val: Outputs
    test: Outputs
    ood: Outputs

    @staticmethod
    def probed(outputs):
        """The same images with what every probe might find: the logits themselves, or features that the perturbation has halved.

        A half is exact in every precision, so that features in half precision and the same in single give the same.
        """
        found = {"logits": outputs.logits, "both": outputs.features / 2}
        columns = {scorer().probe(): found[scorer.uses] for scorer in SCORERS.values() if scorer().probe()}
        return outputs.with_extras([{"indices": outputs.indices, **columns}])

    def outputs_for(self, fits_on):
        return {"train": self.train, "val": self.val, None: None}[fits_on]


def id_outputs(head, rows, seed):
    """Each class lights four features of its own at about 4; everything else is small and never negative, as after a ReLU."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % CLASSES
    features = 0.1 * torch.randn(rows, WIDTH, generator=generator).abs()
    own = labels[:, None] * 4 + torch.arange(4)
    features.scatter_add_(1, own, 4 + 0.3 * torch.randn(rows, 4, generator=generator))
    return Toy.probed(Outputs(features, labels, head=head))


def ood_outputs(head, rows, seed):
    """No class's features are lit; the other half, which no class ever uses, is."""
    generator = torch.Generator().manual_seed(seed)
    features = 0.25 * torch.randn(rows, WIDTH, generator=generator).abs()
    features[:, WIDTH // 2 :] += 1
    return Toy.probed(Outputs(features, head=head))


@pytest.fixture
def toy():
    weight = torch.zeros(CLASSES, WIDTH)
    weight[:, : 4 * CLASSES] = -0.2
    for c in range(CLASSES):
        weight[c, 4 * c : 4 * c + 4] = 1
    head = Head(weight, torch.linspace(-0.1, 0.1, CLASSES))
    return Toy(head, id_outputs(head, 203, 0), id_outputs(head, 60, 1), id_outputs(head, 90, 2), ood_outputs(head, 70, 3))


class Made(TorchDispatchMode):
    """Records, of each operation that makes a tensor of its own, its name and how many numbers the largest one has."""

    def __init__(self):
        super().__init__()
        self.counts = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if not func.is_view:
            own = [one for one in (found if isinstance(found, tuple) else (found,)) if isinstance(one, torch.Tensor)]
            self.counts.append((str(func), max([one.numel() for one in own if not any(one is arg for arg in args)], default=0)))
        return found

    def of_at_least(self, numbers):
        """The names of the operations that made as many."""
        return [name for name, count in self.counts if count >= numbers]


@pytest.fixture
def made():
    return Made()
