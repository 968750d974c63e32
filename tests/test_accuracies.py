"""Accuracies on the same images: the arithmetic by hand, the coverage by drawing, and what can't be compared."""

import numpy as np
import pytest
import torch

from oodkit.accuracies import compare_accuracies, marks_of, mcnemar
from oodkit.errors import UsageError


def marks(*runs: tuple[int, int]) -> np.ndarray:
    """So many images of each mark."""
    return np.concatenate([np.full(count, mark, np.uint8) for count, mark in runs])


def test_marks_tell_right_wrong_and_unlabelled():
    found = marks_of(torch.tensor([0, 1, 2, 0]), torch.tensor([0, 2, 2, -1]))
    assert (found.tolist(), found.dtype) == ([1, 0, 1, 2], np.uint8)


@pytest.mark.parametrize(("won", "lost", "p"), [(0, 0, 1.0), (1, 1, 1.0), (5, 0, 2 / 32), (8, 2, 112 / 1024), (2, 8, 112 / 1024)])
def test_mcnemar_by_hand(won, lost, p):
    """8 against 2: 2 · (1 + 10 + 45)/2¹⁰ = 112/1024."""
    assert mcnemar(won, lost) == pytest.approx(p)


def test_mcnemar_of_many_images_is_that_of_the_chi_square():
    """χ² = (600 − 500 − 1)²/1100 = 8.91 with one degree of freedom: p = 0.00284."""
    assert mcnemar(600, 500) == pytest.approx(0.00284, rel=0.01)
    assert mcnemar(30_000, 20_000) < 1e-300


def test_the_interval_by_hand():
    """b = 8, c = 2, n = 100: p = 9/102, q = 3/102, p − q = 0.05882, √((0.11765 − 0.00346)/102) = 0.03346, times 1.96 0.06558."""
    first, second = marks((8, 1), (2, 0), (90, 1)), marks((8, 0), (2, 1), (90, 1))
    found = compare_accuracies(first, second)
    assert found.difference == pytest.approx(0.06)
    assert (found.low, found.high) == pytest.approx((-0.00676, 0.12440), abs=1e-5)
    assert found.p_value == pytest.approx(112 / 1024)
    other = compare_accuracies(second, first)
    assert (other.difference, other.low, other.high) == pytest.approx((-found.difference, -found.high, -found.low))


def test_equal_marks_differ_by_nothing_but_other_images_might():
    """n = 998: ±1.96 · √((2/1000)/1000) = ±0.00277, a tenth of what 90 % accuracies of independent images have."""
    found = compare_accuracies(marks((900, 1), (98, 0)), marks((900, 1), (98, 0)))
    assert (found.difference, found.p_value) == (0.0, 1.0)
    assert (found.low, found.high) == pytest.approx((-0.00277, 0.00277), abs=1e-5)


def test_images_without_a_label_do_not_count():
    first, second = marks((3, 1), (2, 0), (5, 2)), marks((1, 1), (4, 0), (5, 2))
    assert compare_accuracies(first, second) == compare_accuracies(first[:5], second[:5])
    with pytest.raises(UsageError, match="accuracies need labelled images, got none; give images with labels"):
        compare_accuracies(marks((3, 2)), marks((3, 1)))
    with pytest.raises(UsageError, match="on the same images, got 3 and 4; give both the same"):
        compare_accuracies(marks((3, 1)), marks((4, 1)))


@pytest.mark.parametrize(
    ("images", "both", "first", "second"), [(60, 0.8, 0.08, 0.04), (300, 0.9, 0.02, 0.02), (300, 0.5, 0.2, 0.1)]
)
def test_the_interval_holds_the_true_difference_19_times_in_20(images, both, first, second):
    draws = np.random.default_rng(0).multinomial(images, [both, first, second, 1 - both - first - second], size=2000)
    held = 0
    for right, won, lost, wrong in draws:
        mine = marks((right, 1), (won, 1), (lost, 0), (wrong, 0))
        theirs = marks((right, 1), (won, 0), (lost, 1), (wrong, 0))
        found = compare_accuracies(mine, theirs)
        held += found.low <= first - second <= found.high
    assert 0.935 < held / 2000 < 0.985
