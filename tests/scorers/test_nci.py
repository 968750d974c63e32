import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError, UsageError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, make_scorer

HEAD = Head(torch.tensor([[3.0, 0], [0, 4]]), torch.tensor([0.0, 7]))
TRAIN = Outputs(torch.tensor([[0.0, 0], [2, 2]]), head=HEAD)


def test_the_score_by_hand():
    """f = (4, −3), μ = (1, 1): logits 12 and −5; ⟨(3, 0), (3, −4)⟩/5 = 1.8, and ‖f‖₁ = 7."""
    images = Outputs(torch.tensor([[4.0, -3]]), head=HEAD)
    assert make_scorer("nci", alpha=0.1).fit(TRAIN).score(images).item() == pytest.approx(1.8 + 0.7)
    assert make_scorer("nci").fit(TRAIN).score(images).item() == pytest.approx(1.8 + 7e-4)


def test_it_is_the_direct_formula_without_gathered_rows(toy):
    features, weight = toy.test.features.double().numpy(), toy.head.weight.double().numpy()
    centred = features - toy.train.features.double().numpy().mean(0)
    own = weight[toy.test.predictions().numpy()]
    expected = (own * centred).sum(1) / np.linalg.norm(centred, axis=1) + 1e-4 * np.abs(features).sum(1)
    np.testing.assert_allclose(make_scorer("nci").fit(toy.train).score(toy.test), expected, rtol=1e-6)


def test_an_image_at_the_mean_has_its_length_alone():
    """‖(1, 1)‖₁ = 2."""
    assert make_scorer("nci", alpha=0.5).fit(TRAIN).score(Outputs(torch.ones(1, 2), head=HEAD)).item() == pytest.approx(1)


def test_settings():
    """pytorch-ood's α is 0."""
    assert make_scorer("nci").settings() == {"alpha": 1e-4}
    assert SCORERS["nci"].grid == {"alpha": (1e-4, 1e-3, 1e-2, 1e-1)}
    with pytest.raises(UsageError, match="alpha of at least 0"):
        make_scorer("nci", alpha=-1)


def test_it_needs_the_head(toy):
    with pytest.raises(NotApplicableError, match="nci needs the head"):
        make_scorer("nci").fit(Outputs(toy.train.features, logits=toy.train.logits))
