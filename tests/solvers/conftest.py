"""Features of three classes that overlap, with a head that knows a little."""

import pytest
import torch

from oodkit.head import Head
from oodkit.outputs import Outputs


@pytest.fixture
def make_outputs():
    def make(count=90, classes=3, width=5, seed=0, dtype=torch.float64):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(count) % classes
        means = torch.randn(classes, width, generator=generator, dtype=torch.float64)
        features = 3 + means[labels] + torch.randn(count, width, generator=generator, dtype=torch.float64)
        head = Head(0.2 * torch.randn(classes, width, generator=generator), 0.2 * torch.randn(classes, generator=generator))
        return Outputs(features.to(dtype), labels, head=head)

    return make
