"""msp, mls and ebo: what adding a constant to all logits, or very large ones, does to them."""

import math

import pytest
import torch

from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def of_logits(*rows):
    logits = torch.tensor(rows)
    return Outputs(torch.zeros(len(logits), 1), logits=logits)


def test_by_hand():
    """z = (0, ln 3): softmax (1/4, 3/4); maximum ln 3; energy ln 4; with T = 2, 2 ln(1 + √3)."""
    outputs = of_logits([0.0, math.log(3)])
    assert make_scorer("msp").score(outputs).item() == pytest.approx(0.75)
    assert make_scorer("mls").score(outputs).item() == pytest.approx(math.log(3))
    assert make_scorer("ebo").score(outputs).item() == pytest.approx(math.log(4))
    assert make_scorer("ebo", temperature=2.0).score(outputs).item() == pytest.approx(2 * math.log(1 + math.sqrt(3)))


@pytest.mark.parametrize(("name", "moved"), [("msp", 0), ("mls", 8), ("ebo", 8)])
def test_a_constant_added_to_all_logits(name, moved, toy):
    """8 is a power of two, so that the float32 logits lose nothing but their last bits."""
    shifted = Outputs(toy.test.features, logits=toy.test.logits + 8)
    scorer = make_scorer(name)
    torch.testing.assert_close(scorer.score(shifted), scorer.score(toy.test) + moved, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["msp", "mls", "ebo"])
def test_logits_of_ten_thousand_stay_finite(name):
    assert make_scorer(name).score(of_logits([1e4, -1e4], [-1e4, -1e4], [1e4, 1e4])).isfinite().all()


def test_msp_ranks_confident_images_that_float32_would_tie():
    """1 − e⁻²⁰ and 1 − e⁻³⁰ are both 1.0 in float32."""
    less, more = make_scorer("msp").score(of_logits([20.0, 0.0], [30.0, 0.0]))
    assert less < more
    assert less.float() == more.float() == 1
