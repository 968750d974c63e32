"""The Fréchet distance, against scipy's matrix root, against numbers worked out by hand, and against torch-fidelity's."""

import math

import pytest
import torch

from oodkit.outputs import Outputs
from oodkit.synth.quality.gaussian import Gaussian, frechet


def gaussian(features):
    return Gaussian.of(Outputs(features, logits=torch.zeros(len(features), 2)))


def distance(first, second):
    return frechet(gaussian(first), gaussian(second))


def samples(count, width, seed=0):
    """Two, correlated, of different means and spreads."""
    generator = torch.Generator().manual_seed(seed)
    draw = [torch.randn(count, width, generator=generator, dtype=torch.float64) for _ in range(2)]
    mix = torch.randn(width, width, generator=generator, dtype=torch.float64) / math.sqrt(width)
    return draw[0] @ mix, 1.5 * draw[1] + 0.3


def by_scipy(first, second):
    from scipy.linalg import sqrtm

    covariances = [one.mT.cov() for one in (first, second)]
    root = sqrtm((covariances[0] @ covariances[1]).numpy()).real
    apart = (first.mean(0) - second.mean(0)).square().sum()
    return float(apart + covariances[0].trace() + covariances[1].trace() - 2 * root.trace())


def test_it_is_the_formula_with_scipy_s_matrix_root():
    first, second = samples(400, 12)
    assert distance(first, second) == pytest.approx(by_scipy(first, second), rel=1e-9)


def test_fewer_images_than_features_give_the_same():
    """Rank 19 of 40, of whose root scipy finds some digits; and wider by zeros, which must change nothing."""
    first, second = samples(20, 40)
    found = distance(first, second)
    assert found == pytest.approx(by_scipy(first, second), rel=1e-3)
    first, second = (one[:, :10] for one in (first, second))
    wide = [torch.cat([one, torch.zeros(20, 40)], dim=1) for one in (first, second)]
    assert distance(*wide) == pytest.approx(distance(first, second), rel=1e-7)


def test_of_one_feature_it_is_the_difference_of_means_and_of_deviations_squared():
    """Means 1 and 4, variances (n − 1) 2 and 8: 3² + (√8 − √2)² = 9 + 2."""
    first, second = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[2.0], [4.0], [6.0]])
    assert distance(math.sqrt(2) * (first - 1) + 1, math.sqrt(2) * (second - 4) + 4) == pytest.approx(9 + 2)


def test_of_the_same_images_it_is_0_and_never_below():
    first, _ = samples(50, 8)
    assert 0 <= distance(first, first) < 1e-9
    assert 0 <= distance(first[:5], first[:5]) < 1e-9


def test_two_samples_of_one_distribution_lie_d_d_plus_5_over_2n_apart():
    """The bias that makes a floor needed: of N(0, I) in 20 dimensions and 2000 images 20 · 25 / 4000 = 0.125.

    Means lie √(2 · 20 / 2000) apart; the covariances add ‖S₁ − S₂‖² / 4 = 20 · 21 / 4000.
    """
    generator = torch.Generator().manual_seed(0)
    found = [distance(*torch.randn(2, 2000, 20, generator=generator)) for _ in range(10)]
    assert sum(found) / 10 == pytest.approx(0.125, rel=0.05)


def test_it_is_torch_fidelity_s():
    metric = pytest.importorskip("torch_fidelity.metric_fid", reason="the extra fid is not installed: pip install 'oodkit[fid]'")
    first, second = samples(300, 10)
    statistics = [metric.fid_features_to_statistics(one) for one in (first, second)]
    its = metric.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert distance(first, second) == pytest.approx(its, rel=1e-6)
