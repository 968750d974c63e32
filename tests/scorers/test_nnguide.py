import math

import pytest
import torch

from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def test_by_hand():
    """W is the identity with b = 0. The bank images (2, 0) and (0, 1) have energies ln(e² + 1) and ln(1 + e) and unit rows (1, 0)
    and (0, 1). For f = (3, 4), f̂ = (0.6, 0.8), energy ln(e³ + e⁴); k = 2: energy · ½ (0.6 ln(e² + 1) + 0.8 ln(1 + e)).
    """
    head = Head(torch.eye(2), torch.zeros(2))
    scorer = make_scorer("nnguide", k=2, fraction=1.0).fit(
        Outputs(torch.tensor([[2.0, 0], [0, 1]]), torch.tensor([0, 1]), head=head)
    )
    guidance = (0.6 * math.log(math.e**2 + 1) + 0.8 * math.log(1 + math.e)) / 2
    score = scorer.score(Outputs(torch.tensor([[3.0, 4.0]]), head=head)).item()
    assert score == pytest.approx(math.log(math.e**3 + math.e**4) * guidance)


def test_the_bank_takes_its_share_of_every_class(toy):
    """Class-sorted images: a bank of the first images would hold one class."""
    ordered = toy.train.subset(toy.train.labels.argsort(stable=True))
    bank = make_scorer("nnguide", k=8, fraction=0.04).fit(ordered).state["bank"]
    lit = bank[:, :16].reshape(-1, 4, 4).sum(2).argmax(1)
    assert torch.bincount(lit).tolist() == [2, 2, 2, 2]


def test_a_fraction_that_leaves_fewer_than_k_is_raised_and_reported(toy):
    settings = make_scorer("nnguide").fit(toy.train).settings()
    assert settings == {"k": 100, "fraction": pytest.approx(100 / 203), "seed": 0, "index": "exact", "recall": 1.0}


def test_k_is_clipped_to_the_images_there_are(toy):
    assert make_scorer("nnguide").fit(toy.val).settings() == {"k": 60, "fraction": 1.0, "seed": 0, "index": "exact", "recall": 1.0}


def test_the_draw_depends_on_the_seed(toy):
    first, second = (make_scorer("nnguide", k=5, fraction=0.1, seed=seed).fit(toy.train) for seed in (0, 1))
    assert not torch.equal(first.score(toy.test), second.score(toy.test))


def test_presets():
    assert make_scorer("nnguide").settings() == {"k": 100, "fraction": 0.01, "seed": 0, "index": "exact", "recall": 0.95}
    assert make_scorer("nnguide", "paper").settings() == {"k": 10, "fraction": None, "seed": 0, "index": "exact", "recall": 0.95}
