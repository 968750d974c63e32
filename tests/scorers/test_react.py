import math

import numpy as np
import pytest
import torch

from oodkit.errors import NotApplicableError
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def test_features_are_clipped_at_the_joint_percentile_by_hand():
    """The entries 0, 1, 2, 3, 4, 100 have their 80th percentile at 4, so (5, 1) scores as (4, 1): lse(4, 1) with W the identity."""
    head = Head(torch.eye(2), torch.zeros(2))
    scorer = make_scorer("react", percentile=80).fit(Outputs(torch.tensor([[1.0, 4.0], [3.0, 100.0], [2.0, 0.0]]), head=head))
    assert scorer.score(Outputs(torch.tensor([[5.0, 1.0]]), head=head)).item() == pytest.approx(4 + math.log1p(math.exp(-3)))


def test_the_percentile_is_over_all_entries_and_of_the_images_fitted_on(toy):
    scorer = make_scorer("react").fit(toy.val)
    clip = np.percentile(toy.val.features.numpy().astype(np.float64), 90)
    expected = toy.head(toy.test.features.clamp(max=clip)).double().logsumexp(1)
    torch.testing.assert_close(scorer.score(toy.test), expected, rtol=1e-6, atol=1e-6)


def test_openood_learns_from_validation_images_and_the_paper_from_training_images():
    assert make_scorer("react").fits_on == "val"
    assert make_scorer("react", "paper").fits_on == "train"


def test_it_needs_the_head(toy):
    with pytest.raises(NotApplicableError, match="react needs the head"):
        make_scorer("react").fit(Outputs(toy.val.features, logits=toy.val.logits))


def test_the_grid_is_openoods():
    assert make_scorer("react").grid == {"percentile": (85, 90, 95, 99)}
