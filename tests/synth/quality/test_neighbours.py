"""Density, coverage and nearest images, against a search by hand and against their expectations."""

import pytest
import torch

from oodkit.synth.quality import neighbours
from oodkit.synth.quality.neighbours import Balls, density_and_coverage, expected_coverage, two_nearest


def drawn(count, width=6, seed=0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def by_hand(real, others, k):
    """Naeem et al. as written: k-th nearest of the other real images; strictly inside."""
    own = torch.cdist(real.double(), real.double()).sort(1).values[:, k]
    inside = torch.cdist(real.double(), others.double()) < own[:, None]
    return float(inside.sum() / (k * len(others))), float(inside.any(1).double().mean())


@pytest.mark.parametrize("k", [1, 5])
def test_density_and_coverage_are_those_of_a_search_by_hand(k, monkeypatch):
    monkeypatch.setattr(neighbours, "PRODUCTS", 500)  # several rows at a time
    real, others = drawn(90), 1.3 * drawn(70, seed=1) + 0.2
    assert density_and_coverage(Balls.of(real, k), others, k) == pytest.approx(by_hand(real, others, k))


def test_far_from_the_origin_they_are_the_same():
    """Features 1000 away from 0 with neighbours 0.01 apart; |x|² + |y|² − 2xy would lose them in float32."""
    real, others = drawn(90), drawn(70, seed=1)
    moved = density_and_coverage(Balls.of((0.01 * real + 1000).double()), (0.01 * others + 1000).double())
    assert moved == pytest.approx(density_and_coverage(Balls.of(real), others), abs=0.02)


def test_of_one_distribution_density_is_1_and_coverage_as_expected():
    """1 − 2⁻⁵ = 0.969 of 2000 images each, as the paper has it."""
    density, coverage = density_and_coverage(Balls.of(drawn(2000)), drawn(2000, seed=1))
    assert expected_coverage(2000, 2000) == pytest.approx(0.969, abs=1e-3)
    assert density == pytest.approx(1, abs=0.1)
    assert coverage == pytest.approx(expected_coverage(2000, 2000), abs=0.01)


def test_expected_coverage_of_few_images():
    """Of 3 real images and 2 others with k = 1: a ball is empty where the nearest of the 4 others is real, 2 of 4."""
    assert expected_coverage(3, 2, 1) == pytest.approx(0.5)


def test_copies_of_one_image_are_dense_and_cover_little():
    real = drawn(50)
    density, coverage = density_and_coverage(Balls.of(real), real[:1].expand(50, -1))
    assert coverage < 0.4
    assert density > 0.5


def test_the_two_nearest_are_those_of_a_search_by_hand(monkeypatch):
    queries, bank = drawn(30), drawn(40, seed=1)
    monkeypatch.setattr(neighbours, "GATHERED", 100)
    distances, places = two_nearest(queries, bank)
    whole, order = torch.cdist(queries.double(), bank.double()).sort(1)
    torch.testing.assert_close(distances, whole[:, :2])
    assert torch.equal(places, order[:, :2])


def test_an_exact_copy_lies_at_0():
    """Not at the rounding of a difference of squares, which is 0.02 here."""
    bank = 100 + drawn(40)
    distances, places = two_nearest(bank[:10], bank)
    assert (distances[:, 0] == 0).all()
    assert torch.equal(places[:, 0], torch.arange(10))
