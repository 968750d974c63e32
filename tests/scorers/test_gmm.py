import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer


def on_a_line(values, labels=None):
    return Outputs(
        torch.tensor(values)[:, None], None if labels is None else torch.tensor(labels), logits=torch.zeros(len(values), 3)
    )


def test_by_hand():
    """Class 0 at 0 and 2, class 1 twice as large at 9, 11, 9, 11: Σ = 1, shares ⅓ and ⅔, means 1 and 10; class 2 has no image.

    At 5.5 both are 4.5 away: log(exp(−4.5²/2)). At 10: log(⅓ e^(−40.5) + ⅔).
    """
    scorer = make_scorer("gmm").fit(on_a_line([0.0, 2, 9, 11, 9, 11], [0, 0, 1, 1, 1, 1]))
    scores = scorer.score(on_a_line([5.5, 10.0]))
    assert scores.tolist() == pytest.approx([-(4.5**2) / 2, math.log(math.exp(-40.5) / 3 + 2 / 3)])


def test_against_the_formula_in_numpy(toy):
    train, labels, test = toy.train.features.double().numpy(), toy.train.labels.numpy(), toy.test.features.double().numpy()
    means = np.stack([train[labels == c].mean(0) for c in range(4)])
    centred = train - means[labels]
    precision = np.linalg.pinv(centred.T @ centred / len(train), hermitian=True)
    distances = np.stack([np.einsum("nd,de,ne->n", test - mean, precision, test - mean) for mean in means], 1)
    expected = logsumexp(-distances / 2, b=np.bincount(labels) / len(labels), axis=1)
    np.testing.assert_allclose(make_scorer("gmm").fit(toy.train).score(toy.test), expected, rtol=1e-8)


def test_images_far_from_every_class_stay_in_order():
    """20 to 10,000 deviations away the density is below 1e-45, where OpenOOD clamps it, and then below the smallest float64."""
    scorer = make_scorer("gmm").fit(on_a_line([-1.0, 1, 99, 101], [0, 0, 1, 1]))
    scores = scorer.score(on_a_line([-20.0, -40, -1000, -10_000]))
    assert math.exp(scores[0]) < 1e-45
    assert math.exp(scores[1]) == 0
    assert (scores.diff() < 0).all()
    assert scores.isfinite().all()


def test_it_is_not_the_distance_to_the_nearest_class():
    """Class means −1 and 1, Σ = 1, shares ⅓ and ⅔. pytorch-ood returns the distance, the same at −2 and 0, and at −4 and 4.

    Between both classes images are likelier than beyond one; beyond the larger class they are likelier than beyond the smaller.
    """
    train = on_a_line([-2.0, 0, 0, 2, 0, 2], [0, 0, 1, 1, 1, 1])
    mds, gmm = (make_scorer(name).fit(train) for name in ("mds", "gmm"))
    images = on_a_line([-2.0, 0, -4, 4])
    assert mds.score(images).tolist() == pytest.approx([-1, -1, -9, -9])
    beyond, between, smaller, larger = gmm.score(images).tolist()
    assert between > beyond + 0.1
    assert larger == pytest.approx(smaller + math.log(2), abs=0.01)
