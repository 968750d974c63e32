import math

import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def test_the_weights_that_add_most_remain_by_hand():
    """μ = (1, 10); W∘μ = [[4, 10], [3, −20]], whose median 3.5 leaves the 4 and the 1: logits of (2, 3) are 8 + 3 + b₁ and b₂."""
    head = Head(torch.tensor([[4.0, 1], [3, -2]]), torch.tensor([0.5, -0.5]))
    scorer = make_scorer("dice", percentile=50).fit(Outputs(torch.tensor([[0.0, 10], [2, 10]]), head=head))
    expected = math.log(math.exp(11.5) + math.exp(-0.5))
    assert scorer.score(Outputs(torch.tensor([[2.0, 3]]), head=head)).item() == pytest.approx(expected)


@pytest.mark.parametrize(("preset", "percent"), [("openood", 90), ("paper", 70)])
def test_it_is_openoods_broadcast_over_classes_and_features(preset, percent, toy):
    """Σ_d W∘M∘f written out as the (n, C, D) tensor that OpenOOD builds."""
    weight, features = toy.head.weight.double().numpy(), toy.test.features.double().numpy()
    contributions = weight * toy.train.features.double().numpy().mean(0)
    mask = contributions > np.percentile(contributions, percent)
    logits = (features[:, None] * (weight * mask)).sum(2) + toy.head.bias.double().numpy()
    scores = make_scorer("dice", preset).fit(toy.train).score(toy.test)
    np.testing.assert_allclose(scores, np.log(np.exp(logits).sum(1)), rtol=1e-5)


def test_another_percentile_takes_effect_when_it_is_fitted_again(toy):
    """OpenOOD keeps the mask of its first use."""
    scorer = make_scorer("dice", percentile=90).fit(toy.train)
    scorer.percentile = 30
    again = scorer.fit(toy.train).score(toy.test)
    assert torch.equal(again, make_scorer("dice", percentile=30).fit(toy.train).score(toy.test))
    assert not torch.allclose(again, make_scorer("dice", percentile=90).fit(toy.train).score(toy.test))


def test_at_the_ends_the_smallest_contribution_alone_goes_or_all_go(toy):
    """Strictly above the percentile: at 100 nothing is left but the biases, at 0 every least contribution is dropped."""
    nothing = make_scorer("dice", percentile=100).fit(toy.train).score(toy.test)
    torch.testing.assert_close(nothing, toy.head.bias.double().logsumexp(0).expand(len(toy.test)))
    contributions = toy.head.weight.double() * toy.train.features.double().mean(0)
    whole = make_scorer("dice", percentile=0).fit(toy.train).state["weight"]
    assert torch.equal(whole, torch.where(contributions == contributions.min(), 0, toy.head.weight))


def test_the_heads_own_weight_stays_whole(toy):
    """detectors overwrites it."""
    before = toy.head.weight.clone()
    make_scorer("dice").fit(toy.train).score(toy.test)
    assert torch.equal(toy.head.weight, before)


def test_it_needs_the_head(toy):
    with pytest.raises(NotApplicableError, match="dice needs the head"):
        make_scorer("dice").fit(Outputs(toy.train.features, logits=toy.train.logits))
