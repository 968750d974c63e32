import pytest
import torch

from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def test_by_hand():
    """f = (3, −1), logits (0, 0, 0) for W = 0: p is uniform and so the gradient nothing; with b = (ln 2, 0, 0), p = (½, ¼, ¼).

    Then ‖f‖₁ = 4 and Σ |3p − 1| = ½ + ¼ + ¼.
    """
    features = torch.tensor([[3.0, -1.0]])
    uniform = Outputs(features, head=Head(torch.zeros(3, 2), torch.zeros(3)))
    assert make_scorer("gradnorm").score(uniform).item() == pytest.approx(0, abs=1e-12)
    leaning = Outputs(features, head=Head(torch.zeros(3, 2), torch.tensor([2.0, 1.0, 1.0]).log()))
    assert make_scorer("gradnorm").score(leaning).item() == pytest.approx(4)


def test_against_a_backward_pass_for_each_image(toy):
    """The L1 norm of the gradient of −Σ_c log p_c by the last layer's weight, the bias left out."""
    head = Head(toy.head.weight.double(), toy.head.bias.double())
    signed = toy.test.features.double() - 0.5
    expected = []
    for image in signed:
        weight = head.weight.clone().requires_grad_()
        (-torch.nn.functional.linear(image, weight, head.bias).log_softmax(0).sum()).backward()
        expected.append(weight.grad.abs().sum())
    torch.testing.assert_close(
        make_scorer("gradnorm").score(Outputs(signed, head=head)), torch.stack(expected), rtol=1e-10, atol=1e-10
    )
