"""Stochastic gradient descent: each step PyTorch's own, each image once an epoch, and the order a seed's."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from oodkit.outputs import Outputs
from oodkit.solvers.sgd import Settings, descend


def test_the_settings_are_the_reproductions():
    assert Settings() == Settings(rate=0.1, momentum=0.9, weight_decay=1e-4, batch=512, epochs=20)


def test_steps_are_those_of_pytorch_in_the_order_of_the_seed(make_outputs):
    """Autograd through a linear layer, in the order that the seed draws; 90 images are two batches of 32 and one of 26."""
    outputs, settings = make_outputs(dtype=torch.float32), Settings(batch=32, epochs=2)
    layer = nn.Linear(5, 3)
    with torch.no_grad():
        layer.weight.copy_(outputs.head.weight)
        layer.bias.copy_(outputs.head.bias)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
    generator = torch.Generator().manual_seed(3)
    for _ in range(2):
        for rows in torch.split(torch.randperm(90, generator=generator), 32):
            optimizer.zero_grad()
            functional.cross_entropy(layer(outputs.features[rows]), outputs.labels[rows]).backward()
            optimizer.step()
            schedule.step()
    head, steps = descend(outputs, outputs.head, settings, seed=3)
    assert steps == 6
    torch.testing.assert_close(head.weight, layer.weight.detach())
    torch.testing.assert_close(head.bias, layer.bias.detach())


def test_the_head_it_starts_from_is_left_alone(make_outputs):
    outputs = make_outputs(dtype=torch.float32)
    weight, bias = outputs.head.weight.clone(), outputs.head.bias.clone()
    descend(outputs, outputs.head, Settings(epochs=1))
    assert torch.equal(outputs.head.weight, weight)
    assert torch.equal(outputs.head.bias, bias)


def test_the_order_does_not_depend_on_the_parts(make_outputs):
    """The same images as one tensor and as three parts give the same head, bit for bit; another seed another one."""
    outputs, settings = make_outputs(dtype=torch.float16), Settings(batch=16, epochs=2)
    pieces = [outputs.subset(rows) for rows in torch.split(torch.arange(90), [40, 1, 49])]
    one, three, other = (
        descend(these, outputs.head, settings, seed=seed)[0]
        for these, seed in ((outputs, 0), (Outputs.join(pieces), 0), (outputs, 1))
    )
    assert torch.equal(one.weight, three.weight)
    assert not torch.equal(one.weight, other.weight)


def test_progress_counts_the_steps(make_outputs):
    seen = []
    _, steps = descend(make_outputs(), make_outputs().head, Settings(batch=4, epochs=3), progress=lambda *at: seen.append(at))
    assert seen[-1] == (steps, steps) == (69, 69)
    assert [done for done, _ in seen] == pytest.approx([16, 23, 39, 46, 62, 69])
