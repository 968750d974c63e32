import math

import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer
from oodkit.scoring import score_all


def test_clipped_energy_times_unclipped_mean_by_hand():
    """Of 0, 1, 2, 3, 4, 100 the 80th percentile is 4: (5, 1) has the energy of (4, 1), and the factor 1 + (5 + 1)/2 = 4."""
    head = Head(torch.eye(2), torch.zeros(2))
    scorer = make_scorer("fsebo", percentile=80).fit(Outputs(torch.tensor([[1.0, 4], [3, 100], [2, 0]]), head=head))
    found = scorer.score(Outputs(torch.tensor([[5.0, 1]]), head=head))
    assert found.item() == pytest.approx(4 * (4 + math.log1p(math.exp(-3))))


def test_the_percentile_is_the_training_images_92nd(toy):
    clip = np.percentile(toy.train.features.double().numpy(), 92)
    features = toy.test.features.double()
    logits = features.clamp(max=clip) @ toy.head.weight.double().mT + toy.head.bias.double()
    expected = logits.logsumexp(1) * (1 + features.mean(1))
    torch.testing.assert_close(make_scorer("fsebo").fit(toy.train).score(toy.test), expected, rtol=1e-5, atol=1e-6)


def test_an_image_scores_alike_in_whichever_set_it_stands(toy):
    """The published script clips OOD images at the constant 1.0, which gives the same image two scores."""
    fitted = make_scorer("fsebo").fit(toy.train)
    assert fitted.state["clip"] > 1.5
    scored = score_all([fitted], toy.test, {"the same images": toy.test, "others": toy.ood})[0]
    np.testing.assert_array_equal(scored.ood_scores["the same images"], scored.id_scores)
    literal = make_scorer("fsebo", clip=1.0).score(toy.test)
    assert (torch.from_numpy(scored.ood_scores["the same images"]) - literal).abs().min() > 0.1


def test_the_scripts_constant_can_be_had(toy):
    """With a clip of its own it learns nothing, so that both halves of the script can be put together."""
    scorer = make_scorer("fsebo", clip=1.0)
    assert scorer.fits_on is None
    features = toy.test.features
    expected = toy.head(features.clamp(max=1)).double().logsumexp(1) * (1 + features.double().mean(1))
    torch.testing.assert_close(scorer.score(toy.test), expected, rtol=1e-6, atol=1e-6)


def test_it_warns_where_a_factor_is_negative(toy):
    scorer = make_scorer("fsebo").fit(toy.train)
    assert scorer.caution(toy.test) is None
    features = torch.full((1, 32), -2.0)
    assert "turns the order round" in scorer.caution(Outputs(features, head=Head(-toy.head.weight, toy.head.bias)))
    below = Head(toy.head.weight, toy.head.bias - 100)
    assert "turns the order round" in scorer.caution(toy.test.with_head(below))


def test_its_look_at_the_test_set_is_a_chunk_from_all_over_it(toy, monkeypatch):
    """Negative features in the last of 9,000 images are seen; 3,000 rows are read, and not all."""
    features = toy.test.features[torch.arange(9000) % 90]
    features[8000:] = -2.0
    read, original = [], Outputs.chunks
    monkeypatch.setattr(Outputs, "chunks", lambda self, *rest: read.append(len(self)) or original(self, *rest))
    assert "turns the order round" in make_scorer("fsebo").fit(toy.train).caution(Outputs(features, head=toy.head))
    assert read[-1] == 3000


def test_it_needs_the_head(toy):
    with pytest.raises(NotApplicableError, match="fsebo needs the head"):
        make_scorer("fsebo").fit(Outputs(toy.train.features, logits=toy.train.logits))
