"""The images that a scorer is most wrong about, by hand."""

import numpy as np

from oodkit.extremes import most_accepted, most_rejected

ID_SCORES = np.array([0.5, 0.1, 0.9, 0.1])


def test_ood_images_of_the_highest_scores_come_first():
    """0.9 lies above three ID images and ties with one: (3 + ½)/4; 0.5 above two and ties with one; 0.3 above two."""
    found = most_accepted(ID_SCORES, np.array([0.3, 0.9, 0.0, 0.5]), 3)
    assert found == [(1, 0.9, 0.875), (3, 0.5, 0.625), (0, 0.3, 0.5)]


def test_id_images_of_the_lowest_scores_come_first():
    """Both 0.1 tie with each other: (0 + 2 · ½)/4; the 0.5 has two below and ties with itself."""
    assert most_rejected(ID_SCORES, 3) == [(1, 0.1, 0.25), (3, 0.1, 0.25), (0, 0.5, 0.625)]


def test_equal_scores_stand_in_the_order_of_the_images():
    assert [one.row for one in most_accepted(ID_SCORES, np.zeros(50), 4)] == [0, 1, 2, 3]
    assert [one.row for one in most_rejected(np.zeros(50), 4)] == [0, 1, 2, 3]


def test_there_are_no_more_than_there_are_images():
    assert len(most_rejected(ID_SCORES, 12)) == 4
    assert most_accepted(ID_SCORES, np.array([1.0]), 0) == []
