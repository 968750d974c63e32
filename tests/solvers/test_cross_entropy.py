"""The loss that every solver minimises: by hand, by autograd, and in chunks."""

import math

import pytest
import torch
from torch.nn import functional

from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.solvers.cross_entropy import mean_loss, sums


def test_loss_by_hand():
    """Logits (ln 3, 0) of a first class cost −ln 3/4, of a second class −ln 1/4."""
    head = Head(torch.tensor([[1.0], [0.0]]), torch.zeros(2))
    outputs = Outputs(torch.full((2, 1), math.log(3)), torch.tensor([0, 1]), head=head)
    assert mean_loss(outputs, head) == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)


def test_loss_and_gradients_are_autograds():
    generator = torch.Generator().manual_seed(0)
    features, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((20, 5), (4, 5), (4,)))
    labels = torch.arange(20) % 4
    loss, by_weight, by_bias = sums(features, labels, weight, bias)
    weight.requires_grad_()
    bias.requires_grad_()
    expected = functional.cross_entropy(features @ weight.mT + bias, labels, reduction="sum")
    expected.backward()
    assert float(loss) == pytest.approx(expected.item())
    torch.testing.assert_close(by_weight, weight.grad)
    torch.testing.assert_close(by_bias, bias.grad)


def test_logits_of_a_million_give_a_finite_loss():
    loss, *gradients = sums(torch.tensor([[1e6]]), torch.tensor([1]), torch.tensor([[1.0], [-1.0]]), torch.zeros(2))
    assert float(loss) == 2e6
    assert all(one.isfinite().all() for one in gradients)


def test_more_rows_than_a_chunk_holds(make_outputs):
    outputs = make_outputs(count=9000, dtype=torch.float32)
    expected = functional.cross_entropy(outputs.logits.double(), outputs.labels)
    assert mean_loss(outputs, outputs.head) == pytest.approx(float(expected), rel=1e-6)
