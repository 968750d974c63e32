import math

import pytest
import torch
from scipy.stats import entropy

from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def scores_of(*rows):
    logits = torch.tensor(rows)
    return make_scorer("entropy").score(Outputs(torch.zeros(len(logits), 1), logits=logits))


def test_by_hand():
    """Logits (0, ln 3) are probabilities (1/4, 3/4): ¼ ln ¼ + ¾ ln ¾."""
    assert scores_of([0.0, math.log(3)]).item() == pytest.approx(0.25 * math.log(0.25) + 0.75 * math.log(0.75))


def test_against_scipy(toy):
    expected = -entropy(toy.test.logits.double().softmax(1), axis=1)
    torch.testing.assert_close(make_scorer("entropy").score(toy.test), torch.as_tensor(expected), rtol=1e-12, atol=1e-12)


def test_nothing_times_the_logarithm_of_nothing_is_nothing():
    assert scores_of([1e4, -1e4], [1e4, 1e4]).tolist() == pytest.approx([0, -math.log(2)])


def test_confident_images_do_not_tie():
    """A lead of L leaves L · e⁻ᴸ, though p rounds to 1 in float64 from L = 37 on."""
    scores = scores_of([40.0, 0.0], [50.0, 0.0])
    assert scores.tolist() == pytest.approx([-40 * math.exp(-40), -50 * math.exp(-50)], rel=0.03)


def test_a_constant_added_to_all_logits_changes_nothing(toy):
    shifted = Outputs(toy.test.features, logits=toy.test.logits + 8)
    scorer = make_scorer("entropy")
    torch.testing.assert_close(scorer.score(shifted), scorer.score(toy.test), rtol=0, atol=2e-6)
