"""The published BigGAN package at random weights: every number of them matters to its images."""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from oodkit.synth.biggan_weights import LAYERS

FAULTY = (7, 14, 28, 29, 47)  # of the 50 truncations, 1/50 apart, those at which the package takes the neighbour's statistics


@cache
def published(blocks: int, width: int = 8) -> nn.Module:
    """The package's network with 10, 12 or 14 blocks, in evaluation mode."""
    import PIL.Image  # noqa: F401 (which the package needs and leaves to others)
    from pytorch_pretrained_biggan import BigGAN, BigGANConfig

    with torch.random.fork_rng():
        torch.manual_seed(blocks)
        net = BigGAN(BigGANConfig(channel_width=width, layers=[list(layer) for layer in LAYERS[blocks]]))
        randomise(net)
        for _ in range(4):  # in training mode: until then spectral norm divides by chance numbers
            net.train()(torch.randn(1, 128), one_hot(torch.tensor([1])), 0.5)
    return net.eval().requires_grad_(False)


def randomise(net: nn.Module) -> None:
    """What training would set and construction leaves at 0, at 1 or uninitialised."""
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.endswith("running_vars"):
                tensor.uniform_(0.5, 2)
            elif name.endswith("running_means") or name in {"generator.bn.weight", "generator.bn.bias"}:
                tensor.normal_()
            elif name.endswith("gamma"):
                tensor.fill_(0.7)


def one_hot(labels: Tensor) -> Tensor:
    return nn.functional.one_hot(labels, 1000).float()


def noise(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 128, generator=torch.Generator().manual_seed(seed)).clamp(-2, 2)


def tensors(net: nn.Module) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}
