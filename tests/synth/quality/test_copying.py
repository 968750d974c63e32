"""Near-copies and how near the nearest real image lies, against arithmetic by hand and scipy's Fisher test."""

import numpy as np
import pytest
import torch

from oodkit.outputs import Outputs
from oodkit.synth.quality import copying
from oodkit.synth.quality.compared import Sample
from oodkit.synth.quality.copying import Bank, more_often


class Named:
    """An image set of which only names are asked."""

    def __init__(self, kind):
        self.kind = kind

    def image_name(self, index):
        return f"{self.kind}{index}"


def sample(features):
    features = torch.tensor(features)
    return Sample(
        Outputs(features, logits=torch.zeros(len(features), 2)), torch.zeros(len(features)), 10 + np.arange(len(features))
    )


def bank(*features):
    outputs = Outputs(torch.tensor(features), logits=torch.zeros(len(features), 2))
    return Bank(Named("real"), outputs, 20 + np.arange(len(features)))


LINE = bank([0.0], [4.0], [8.0])


def test_a_copy_lies_at_most_a_third_as_far_from_one_real_image_as_from_the_next():
    """On a line with real images at 0, 4 and 8: 1 is a third as far from 0 as from 4; 1.1 is not; 8.0 is an exact copy."""
    found = LINE.nearest_of(Named("made"), sample([[1.1], [1.0], [8.0]]))
    assert (found.near_copies, found.images, found.searched) == (2, 3, 3)
    assert [(one.image, one.real) for one in found.copies] == [("made12", "real22"), ("made11", "real20")]
    assert [(one.distance, one.ratio) for one in found.copies] == [(0, 0), pytest.approx((1, 1 / 3))]
    assert found.median == pytest.approx(1)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_part_at_a_time_and_all_at_once_find_the_same(rows, monkeypatch):
    rng = np.random.default_rng(0)
    searched, asked = bank(*rng.normal(size=(20, 3)).tolist()), sample((2 * rng.normal(size=(30, 3))).tolist())
    whole = searched.nearest_of(Named("made"), asked)
    monkeypatch.setattr(copying, "ROWS", rows)
    assert searched.nearest_of(Named("made"), asked) == whole
    assert whole.near_copies > 0


def test_copies_of_an_image_that_is_there_twice_are_copies():
    """Its nearest and its second nearest both lie at 0."""
    found = bank([0.0], [0.0], [8.0]).nearest_of(Named("made"), sample([[0.0]]))
    assert found.near_copies == 1
    assert found.copies[0].ratio == 0


def test_the_median_is_held_against_that_of_unseen_images():
    unseen = LINE.nearest_of(Named("held"), sample([[2.0], [6.0], [-2.0]]))
    assert (unseen.ratio, unseen.flagged) == (1, False)
    found = LINE.nearest_of(Named("made"), sample([[1.9], [2.1], [6.1]]), unseen)
    assert found.ratio == pytest.approx(0.95)
    assert not found.flagged
    near = LINE.nearest_of(Named("made"), sample([[0.5], [4.5], [7.5]]), unseen)
    assert near.ratio == pytest.approx(0.25)
    assert near.flagged


def test_without_a_median_to_hold_it_against_there_is_no_ratio():
    copied = LINE.nearest_of(Named("held"), sample([[0.0], [4.0]]))
    assert LINE.nearest_of(Named("made"), sample([[2.0]]), copied).ratio is None


def test_many_near_copies_are_flagged_and_as_many_as_unseen_images_have_are_not():
    """30 of 100 where unseen images have 5 of 100; the median of both is that of the images in the middle, 2."""

    def with_copies(count):
        return sample([[0.5]] * count + [[2.0]] * (100 - count))

    unseen = LINE.nearest_of(Named("held"), with_copies(5))
    found = LINE.nearest_of(Named("made"), with_copies(30), unseen)
    assert (found.ratio, found.flagged) == (1, True)
    assert found.p < 1e-5
    assert len(found.copies) == 8
    assert not LINE.nearest_of(Named("made"), with_copies(9), unseen).flagged


@pytest.mark.parametrize("table", [(3, 10, 1, 12), (0, 10, 4, 10), (10, 10, 0, 500), (5, 5, 5, 5), (0, 7, 0, 9)])
def test_it_is_fisher_s_exact_test(table):
    from scipy.stats import fisher_exact

    first, first_of, second, second_of = table
    its = fisher_exact([[first, first_of - first], [second, second_of - second]], alternative="greater").pvalue
    assert more_often(*table) == pytest.approx(its)
