"""Which class or set stands before another: what counts as level, and what does not."""

import numpy as np
import pytest
import torch

from oodkit.outputs import Outputs
from oodkit.synth.quality.compared import Sample
from oodkit.synth.quality.found import ClassQuality, Nearest, SetQuality
from oodkit.synth.quality.gaussian import Gaussian, frechet
from oodkit.synth.quality.standing import beside_floor, noise_of, ranked


def of_distance(name, frechet, coverage=0.9):
    """A set of which nothing else is looked at."""
    nearest = Nearest(9, 9, median=1.0, ratio=1.0, near_copies=0, p=1.0, flagged=False, copies=())
    figures = {"kid": 0.0, "kid_sd": 0.1, "density": 1.0, "agreement": None, "confidence": None, "probe": None}
    return SetQuality(
        name, name, 9, (), frechet, coverage=coverage, nearest=nearest, classes=(), rank=0, coverage_rank=0, **figures
    )


def test_classes_stand_by_how_far_they_lie_above_real_ones_in_standard_errors():
    """a: (5 − 4) / √(0.6² + 0.8²) = 1; b: (1 − 0) / 0.1 = 10, though its distance is smaller; without an error, the most."""
    floor = [ClassQuality(name, 9, kid, sd, None, None) for name, kid, sd in (("a", 4, 0.8), ("b", 0, 0), ("c", 0, 0), ("d", 0, 0))]
    kids = (("c", 1, 0), ("e", None, None), ("b", 1, 0.1), ("a", 5, 0.6), ("d", 0, 0))
    own = [ClassQuality(name, 9, kid, sd, None, None) for name, kid, sd in kids]
    floor.append(ClassQuality("e", 2, None, None, None, None))
    assert [(one.name, one.above) for one in beside_floor(own, floor)] == [
        ("d", 0), ("a", pytest.approx(1)), ("b", pytest.approx(10)), ("c", pytest.approx(1e6)), ("e", None),
    ]  # fmt: skip


def test_the_noise_is_what_other_halves_of_the_same_images_differ_by():
    """Of identical images all halves lie at 0; else four distances are drawn, none of which is the other."""
    rng = np.random.default_rng(0)

    def half(features):
        labels = torch.arange(2).repeat_interleave(20)
        return Sample(Outputs(torch.from_numpy(features), logits=torch.zeros(40, 2)), labels, np.arange(40))

    same = half(np.ones((40, 3)))
    assert noise_of(0.0, same, same, 0) == pytest.approx(0, abs=1e-9)
    first, second = half(rng.normal(size=(40, 3))), half(rng.normal(size=(40, 3)))
    own = frechet(Gaussian.of(first.outputs), Gaussian.of(second.outputs))
    assert 0 < noise_of(own, first, second, 0) < 1
    assert noise_of(own, first, second, 0) != noise_of(own, first, second, 1)
    assert noise_of(own + 100, first, second, 0) == pytest.approx(100, abs=2)


def test_sets_that_differ_by_no_more_than_real_images_share_a_rank():
    """Held against the first of the rank: 1.25 is level with 1, 1.5 is not, 1.625 is level with 1.5."""
    sets = [of_distance(str(distance), distance) for distance in (1.625, 1.0, 1.5, 1.25)]
    assert [(one.name, one.rank) for one in ranked(sets, 0.25)] == [("1.0", 1), ("1.25", 1), ("1.5", 3), ("1.625", 3)]
    assert [one.rank for one in ranked(sets, 0.0)] == [1, 2, 3, 4]


def test_equal_distances_share_a_rank_in_the_order_given():
    first, second, third = of_distance("a", 1.0), of_distance("b", 1.0), of_distance("c", 0.0, coverage=0.1)
    assert [(one.name, one.rank, one.coverage_rank) for one in ranked([first, second, third], 0.0)] == [
        ("c", 1, 3),
        ("a", 2, 1),
        ("b", 2, 2),
    ]
