import math

import numpy as np
import pytest
import torch

from oodkit.errors import UsageError
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def of_logits(logits):
    return Outputs(torch.zeros(len(logits), 1), logits=torch.as_tensor(logits))


def test_by_hand():
    """p = (1/6, 2/6, 3/6), γ = ½: √(5/36) + √(8/36) + √(9/36); without the smallest for m = 2."""
    outputs = of_logits([[math.log(1), math.log(2), math.log(3)]])
    assert make_scorer("gen", gamma=0.5, m=3).score(outputs).item() == pytest.approx(-(5**0.5 + 8**0.5 + 3) / 6)
    assert make_scorer("gen", gamma=0.5, m=2).score(outputs).item() == pytest.approx(-(8**0.5 + 3) / 6)


@pytest.mark.parametrize(("gamma", "m"), [(0.1, 100), (0.01, 10), (2.0, 1), (10.0, 1000)])
def test_against_a_full_sort(gamma, m):
    logits = 3 * torch.randn(50, 300, generator=torch.Generator().manual_seed(0))
    p = np.sort(logits.double().softmax(1).numpy(), axis=1)[:, -m:]
    expected = -(p**gamma * (1 - p) ** gamma).sum(1)
    np.testing.assert_allclose(make_scorer("gen", gamma=gamma, m=m).score(of_logits(logits)), expected, rtol=1e-9)


@pytest.mark.parametrize("lead", [20.0, 60.0, 1000.0])
def test_a_probability_that_rounds_to_one_keeps_its_rest(lead):
    """Two classes: p and 1 − p ≈ e^−lead change places, so both terms are e^(−γ lead); 1 − p is 0 in float32 from 17 on."""
    assert make_scorer("gen").score(of_logits([[lead, 0.0]])).item() == pytest.approx(-2 * math.exp(-0.1 * lead), rel=1e-7)


def test_two_classes_that_share_the_first_place():
    assert make_scorer("gen").score(of_logits([[5.0, 5.0, -1e4]])).item() == pytest.approx(-2 * 0.25**0.1)


def test_a_network_of_one_class_is_always_sure():
    assert make_scorer("gen").score(of_logits([[3.0], [-2.0]])).tolist() == [0, 0]


def test_fewer_classes_than_m_are_all_taken(toy):
    assert torch.equal(make_scorer("gen").score(toy.test), make_scorer("gen", m=4).score(toy.test))


def test_a_constant_added_to_all_logits_changes_nothing(toy):
    shifted = Outputs(toy.test.features, logits=toy.test.logits + 8)
    torch.testing.assert_close(make_scorer("gen").score(shifted), make_scorer("gen").score(toy.test), rtol=0, atol=2e-6)


@pytest.mark.parametrize(("setting", "message"), [({"gamma": 0.0}, "gamma above 0"), ({"m": 0}, "m of at least 1")])
def test_impossible_settings(setting, message):
    with pytest.raises(UsageError, match=f"gen expects .*{message}"):
        make_scorer("gen", **setting)
