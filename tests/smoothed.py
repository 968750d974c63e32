"""Features that tell an image's class and how clear it is, and a head that learnt them from smoothed labels."""

import torch
from torch.nn import functional

from oodkit.head import Head
from oodkit.metrics import auroc
from oodkit.outputs import Outputs

CLASSES = 10


def toy(count=600, *, seed=0, strength=1.0):
    """Each class lights two features: one as strong as the image is clear, hardly noisy, and one that is always 1, and noisy."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    one = functional.one_hot(labels, CLASSES).float()
    clear = strength * (0.2 + 1.6 * torch.rand(count, 1, generator=generator))
    first, second = (noise * torch.randn(count, CLASSES, generator=generator) for noise in (0.02, 0.4))
    return torch.cat([one * clear + first, one + second], dim=1), labels


def smoothed_head(features, labels, smoothing=0.2):
    """The optimum of cross-entropy with smoothed labels, all but unregularised."""
    weight = torch.zeros(CLASSES, features.shape[1], requires_grad=True)
    bias = torch.zeros(CLASSES, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        found = functional.cross_entropy(features @ weight.mT + bias, labels, label_smoothing=smoothing)
        (found + 1e-4 * weight.square().sum()).backward()
        return found + 1e-4 * weight.square().sum()

    optimizer.step(loss)
    return Head(weight.detach(), bias.detach())


def smoothed_outputs():
    features, labels = toy()
    return Outputs(features, labels, head=smoothed_head(features, labels))


def mls_auroc(head):
    test, ood = (head(toy(500, seed=seed, strength=strength)[0]).amax(1) for seed, strength in ((1, 1.0), (2, 0.1)))
    return auroc(test.numpy(), ood.numpy())
