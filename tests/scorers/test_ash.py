"""The three variants against the paper's algorithms, written out for one row."""

import math

import numpy as np
import pytest
import torch

from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def lse(values):
    return math.log(sum(math.exp(value) for value in values))


def test_by_hand():
    """f = (4, 1, 3, 0), P = 50: k = 4 − round(2) = 2, kept 4 and 3, s₁ = 8, s₂ = 7.

    W has the rows (1, 0, 0, 0) and (0, 0, 1, 1), b = (0, 1).
    p: lse(4, 3 + 1). b: each kept entry becomes 8/2 = 4: lse(4, 4 + 1). s: e^(8/7) times (4, 3): lse(4e^(8/7), 3e^(8/7) + 1).
    """
    head = Head(torch.tensor([[1.0, 0, 0, 0], [0, 0, 1, 1]]), torch.tensor([0.0, 1.0]))
    outputs = Outputs(torch.tensor([[4.0, 1, 3, 0]]), head=head)
    expected = {"ash-p": lse([4, 4]), "ash-b": lse([4, 5]), "ash-s": lse([4 * math.exp(8 / 7), 3 * math.exp(8 / 7) + 1])}
    for name, score in expected.items():
        assert make_scorer(name, percentile=50).score(outputs).item() == pytest.approx(score)


@pytest.mark.parametrize("percentile", [0, 65, 90, 98])
def test_against_a_loop_over_rows(percentile, toy):
    features, weight, bias = (one.numpy().astype(np.float64) for one in (toy.test.features, toy.head.weight, toy.head.bias))
    expected = {"ash-p": [], "ash-b": [], "ash-s": []}
    for row in features:
        kept = np.argsort(-row, kind="stable")[: max(32 - round(32 * percentile / 100), 1)]
        mask = np.isin(np.arange(32), kept)
        for name, shaped in {
            "ash-p": mask * row,
            "ash-b": mask * row.sum() / mask.sum(),
            "ash-s": mask * row * np.exp(row.sum() / row[mask].sum()),
        }.items():
            expected[name].append(np.logaddexp.reduce(weight @ shaped + bias))
    for name, scores in expected.items():
        np.testing.assert_allclose(make_scorer(name, percentile=percentile).score(toy.test), scores, rtol=1e-5, atol=1e-5)


def test_a_row_of_zeros_scores_as_the_bias():
    outputs = Outputs(torch.zeros(1, 4), head=Head(torch.ones(2, 4), torch.tensor([0.0, 1.0])))
    for name in ("ash-b", "ash-p", "ash-s"):
        assert make_scorer(name).score(outputs).item() == pytest.approx(lse([0, 1]))


def test_negative_features_are_cautioned_against(toy):
    signed = Outputs(toy.test.features - 0.01, head=toy.head)
    for name in ("ash-b", "ash-p", "ash-s"):
        assert make_scorer(name).caution(toy.test) is None
        assert "never negative" in make_scorer(name).caution(signed)


def test_the_grid_is_openoods():
    for name in ("ash-b", "ash-p", "ash-s", "scale"):
        assert make_scorer(name).grid == {"percentile": (65, 70, 75, 80, 85, 90, 95)}


def test_presets():
    assert [make_scorer(name, "openood").settings()["percentile"] for name in ("ash-b", "ash-p", "ash-s")] == [90, 90, 90]
    assert [make_scorer(name, "paper").settings()["percentile"] for name in ("ash-b", "ash-p", "ash-s")] == [65, 65, 90]
