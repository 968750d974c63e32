import math

import pytest
import torch

from oodkit.errors import UsageError
from oodkit.training.batch import Batch
from oodkit.training.recipes import make_recipe

from .toy import given_logits

LABELS = torch.tensor([0, 1])


def test_the_loss_by_hand() -> None:
    """(3, 4) has length 5; over tau · 5 = 2.5 it is (1.2, 1.6), and −log softmax[0] = log(1 + e^0.4). (0, 2) becomes (0, 2)."""
    recipe = make_recipe("logitnorm", tau=0.5)
    found = given_logits(recipe, 2)(Batch((torch.tensor([[3.0, 4.0], [0.0, 2.0]]),), LABELS))
    assert found.parts["cross-entropy"].item() == pytest.approx((math.log(1 + math.exp(0.4)) + math.log(1 + math.exp(-2))) / 2)
    assert found.correct is not None
    assert found.correct.tolist() == [False, True]


def test_the_length_of_the_logits_is_nothing_to_it() -> None:
    recipe = make_recipe("logitnorm")
    logits = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    learner = given_logits(recipe, 5)
    loss, of_longer = (learner(Batch((scale * logits,), LABELS)).parts["cross-entropy"] for scale in (1, 7))
    torch.testing.assert_close(loss, of_longer)
    (slope,) = torch.autograd.grad(loss, logits)
    assert (slope * logits).sum(1).abs().max() < 1e-5 * slope.norm()


def test_its_gradient_is_that_of_finite_differences() -> None:
    logits = torch.randn(2, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
    learner = given_logits(make_recipe("logitnorm", tau=0.5), 5)

    def loss(at: torch.Tensor) -> torch.Tensor:
        return learner(Batch((at,), LABELS)).parts["cross-entropy"]

    (slope,) = torch.autograd.grad(loss(logits), logits)
    steps = 1e-2 * torch.eye(10).view(10, 2, 5)
    with torch.no_grad():
        measured = torch.stack([(loss(logits + step) - loss(logits - step)) / 2e-2 for step in steps]).view(2, 5)
    torch.testing.assert_close(slope, measured, atol=1e-4, rtol=1e-3)


def test_logits_of_zero_give_a_finite_gradient() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    given_logits(make_recipe("logitnorm"), 3)(Batch((logits,), LABELS)).parts["cross-entropy"].backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_a_tau_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^recipe logitnorm needs a tau above 0, got tau=0.0$"):
        make_recipe("logitnorm", tau=0.0)
