"""Outputs of a network that never was, as AugDelete finds them: a decaying spectrum, classes in groups, a head with soft logits.

Latent variables of variance 1 / (k + 10), k = 1 … D, hold the class means, half of each common to a group of 20 classes, and noise.
An image shows its class from half to one and a half times as strongly, mixed with another of its group: by a fifth of an image's
features that one is nearer. A random matrix and a ReLU make features of them, 61 % of which are above 0; a tenth of the directions
hold about half of their variance. The head is trained by SGD on five times as many other images, with label smoothing and mixup.
"""

import math

import torch
from torch import Tensor
from torch.distributions import Beta
from torch.nn import functional

from oodkit.head import Head

GROUP = 20  # classes
SEPARATION = 0.4  # of the class means at scale 1, in standard deviations of the noise; fewer features need more to be as hard
OTHER = Beta(0.5, 1.5)  # the share of the other class in an image: 18 % have more than half of it
IMAGES, STEPS = 1_280_000, 2500  # that the head is trained on, and how long, at scale 1
SMOOTHING, MIXUP = 0.1, 0.2


class Network:
    """Draws features (n, D) in float32 of images of given classes, and has a head (C, D) trained with label smoothing and mixup."""

    def __init__(self, width: int, classes: int, scale: float) -> None:
        torch.manual_seed(0)
        deviations = (torch.arange(1, width + 1) + 10.0) ** -0.5
        self.deviations = deviations * math.sqrt(width) / deviations.norm()
        self.mixing = torch.randn(width, width) / math.sqrt(width)
        self.groups = -(-classes // GROUP)
        common = torch.randn(self.groups, width)[torch.arange(classes) % self.groups]
        self.means = SEPARATION * scale**-0.16 * 0.5**0.5 * (common + torch.randn(classes, width)) * self.deviations
        self.head = self._trained(IMAGES * scale)

    def features(self, labels: Tensor) -> Tensor:
        count, (classes, width) = len(labels), self.means.shape
        others = (labels + self.groups * torch.randint(GROUP, (count,))) % classes
        other, strength = OTHER.sample((count, 1)), 0.5 + torch.rand(count, 1)
        signal = strength * torch.lerp(self.means[labels], self.means[others], other)
        return (0.5 * (signal + torch.randn(count, width) * self.deviations) @ self.mixing + 0.15).clamp_(min=0)

    def _trained(self, images: float) -> Head:
        classes, width = self.means.shape
        weight, bias = torch.zeros(classes, width, requires_grad=True), torch.zeros(classes, requires_grad=True)
        optimizer = torch.optim.SGD([weight, bias], 0.1, momentum=0.9, weight_decay=1e-4)
        batch = max(round(images / STEPS), 32)
        steps = round(images / batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for share in Beta(MIXUP, MIXUP).sample((steps,)).tolist():
            labels = torch.randint(classes, (batch,))
            features = self.features(labels)
            logits = functional.linear(share * features + (1 - share) * features.flip(0), weight, bias)
            losses = [functional.cross_entropy(logits, one, label_smoothing=SMOOTHING) for one in (labels, labels.flip(0))]
            optimizer.zero_grad()
            (share * losses[0] + (1 - share) * losses[1]).backward()
            optimizer.step()
            schedule.step()
        return Head(weight, bias)
