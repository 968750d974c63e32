"""Networks whose gradients and feature maps are known in closed form."""

import pytest
import torch
from torch import Tensor, nn

from oodkit.classifier import Classifier
from oodkit.head import Head

STD = [0.5, 0.25, 0.2]


class Linear(nn.Module):
    """Logits W · x + b of 3 × 2 × 2 pixels, to 4 classes; the features are the pixels themselves."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.fc = nn.Linear(*reversed(weight.shape))
        self.fc.weight.data, self.fc.bias.data = weight, bias

    def forward(self, pixels: Tensor) -> Tensor:
        return self.fc(pixels.flatten(1))


@pytest.fixture
def classify():
    """A classifier around a network whose head is the given layer."""

    def make(net: nn.Module, size: tuple[int, int, int], layer: str = "fc") -> Classifier:
        fc = net.get_submodule(layer)
        head = Head(fc.weight.detach(), fc.bias.detach(), (layer,))
        return Classifier("net", net.eval().requires_grad_(False), lambda image: image, head, size, {"std": STD})

    return make


@pytest.fixture
def linear(classify):
    generator = torch.Generator().manual_seed(0)
    return classify(Linear(torch.randn(4, 12, generator=generator), torch.randn(4, generator=generator)), (3, 2, 2))


@pytest.fixture
def pixels():
    return torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(1))
