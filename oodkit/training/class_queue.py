"""The latest features of each class, in buffers, so that a training that goes on finds them as they were."""

import torch
from torch import Tensor, nn

MOST_NUMBERS = 2**27  # of a queue: 512 MiB


class ClassQueue(nn.Module):
    """Queues of the latest ``length`` features of each of C classes, float32, without gradient.

    length: as asked for, or less where C classes of D features would take more than 512 MiB: 2^27 / (C · D), and never less than 2.
    1000 of 512 features are kept of up to 262 classes; of ImageNet's 1000 classes and ResNet-50's 2048 features 65 are.
    In several processes the queues are those of the first one, whose buffers DistributedDataParallel sends round before each step.
    """

    rows: Tensor
    pushed: Tensor

    def __init__(self, num_classes: int, num_features: int, length: int) -> None:
        super().__init__()
        self.length = min(length, max(2, MOST_NUMBERS // (num_classes * num_features)))
        self.register_buffer("rows", torch.zeros(num_classes, self.length, num_features))
        self.register_buffer("pushed", torch.zeros(num_classes, dtype=torch.int64))

    @property
    def is_full(self) -> bool:
        """Whether every class has had as many features as its queue is long."""
        return bool((self.pushed >= self.length).all())

    @torch.no_grad()
    def push(self, features: Tensor, labels: Tensor) -> None:
        """Take in features (B, D) of classes (B,); each takes the place of its class's oldest."""
        earlier, later = same_class_around(labels)
        kept = later < self.length  # of more than fit, the last, so that no place is written twice
        places = (self.pushed[labels] + earlier) % self.length
        self.rows[labels[kept], places[kept]] = features.detach()[kept].float()
        self.pushed += torch.bincount(labels, minlength=len(self.pushed))


def same_class_around(labels: Tensor) -> tuple[Tensor, Tensor]:
    """For each of labels (B,), how many of the same class stand before and how many after it, both (B,) int64."""
    same = labels[:, None] == labels
    return same.tril(-1).sum(1), same.triu(1).sum(1)
