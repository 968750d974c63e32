"""The softmax at the temperature, on whatever logits the probe found."""

import numpy as np
import pytest
import torch

from oodkit.errors import UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer

ODIN = "odin:temperature=1000.0,noise=0.0014"


def outputs_of(logits, found, spec):
    outputs = Outputs(torch.zeros(len(logits), 1), logits=torch.tensor(logits))
    return outputs.with_extras([{"indices": outputs.indices, spec: torch.tensor(found)}])


def test_by_hand():
    """Perturbed logits (3, 1), T = 2: e^1.5 / (e^1.5 + e^0.5) = 1 / (1 + e^−1); the plain logits play no part."""
    outputs = outputs_of([[9.0, 0.0]], [[3.0, 1.0]], "odin:temperature=2.0,noise=0.1")
    assert make_scorer("odin", temperature=2, noise=0.1).score(outputs).item() == pytest.approx(1 / (1 + np.exp(-1)))


def test_the_score_takes_the_temperature():
    """pytorch-ood scores without it. At T = 1 the first image leads, 1 / (1 + 2e^−4) = 0.96 against 1 / (1 + e^−1.5 + e^−9) = 0.82;
    at 1000 the sum of the gaps to the other classes counts, 8 against 10.5, and the second leads."""
    logits = [[4.0, 0.0, 0.0], [9.0, 7.5, 0.0]]
    scores = {}
    for temperature in (1.0, 1000.0):
        outputs = outputs_of(logits, logits, f"odin:temperature={temperature},noise=0.0014")
        scores[temperature] = make_scorer("odin", temperature=temperature).score(outputs).numpy()
        expected = np.exp(np.array(logits) / temperature)
        np.testing.assert_allclose(scores[temperature], expected.max(1) / expected.sum(1), rtol=1e-12)
    assert scores[1.0][0] > scores[1.0][1]
    assert scores[1000.0][0] < scores[1000.0][1]


def test_at_a_thousand_images_that_differ_in_the_seventh_digit_are_told_apart():
    """In float32 softmax(z / 1000) of both is 0.25000018 to its last digit."""
    outputs = outputs_of([[0.0] * 4] * 2, [[0.001, 0, 0, 0], [0.0010001, 0, 0, 0]], ODIN)
    low, high = make_scorer("odin").score(outputs).tolist()
    assert low < high


def test_without_noise_it_needs_no_probe():
    scorer = make_scorer("odin", temperature=2, noise=0)
    assert scorer.probe() is None
    assert scorer.score(Outputs(torch.zeros(1, 1), logits=torch.tensor([[3.0, 1.0]]))).item() == pytest.approx(1 / (1 + np.exp(-1)))


def test_the_probe_has_the_settings_however_they_are_given():
    assert make_scorer("odin").probe() == make_scorer("odin", temperature=1000).probe() == ODIN


@pytest.mark.parametrize("settings", [{"temperature": 0.0}, {"noise": -0.1}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(UsageError, match="odin expects a"):
        make_scorer("odin", **settings)


def test_it_needs_no_head():
    head = Head(torch.zeros(2, 1), torch.zeros(2))
    outputs = Outputs(torch.zeros(1, 1), head=head)
    assert make_scorer("odin", noise=0).score(outputs).item() == 0.5
