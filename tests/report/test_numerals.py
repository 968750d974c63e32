"""Numbers in words, and tints."""

import pytest

from oodkit.report.numerals import bracket, interval, limits, number, rank_among_others, rank_in_words, tint, with_interval


@pytest.mark.parametrize(
    ("below", "words"),
    [(0.0, "below all"), (1.0, "above all"), (0.834, "above 83 % of"), (0.2, "below 80 % of"), (0.0004, "below 99.9 % of")],
)
def test_a_rank_is_never_rounded_to_all_or_none(below, words):
    assert rank_in_words(below) == f"{words} ID images"


@pytest.mark.parametrize(
    ("below", "images", "words"),
    [
        (0.5 / 4, 4, "below all other ID images"),
        (3.5 / 4, 4, "above all other ID images"),
        (2 / 4, 4, "above 50 % of other ID images"),
        (1.5 / 301, 301, "below 99.7 % of other ID images"),
        (0.5, 1, "the only ID image"),
    ],
)
def test_an_id_image_is_held_against_the_others(below, images, words):
    """It ties with itself in ``below``: of the scores 0, 1, 1, 3 the lowest has (0 + ½)/4 below it, and of the others none."""
    assert rank_among_others(below, images) == words


def test_numbers_have_a_minus_sign_and_cells_a_tint_by_their_lead_over_chance():
    """AUROC 0.75 is half way from chance to the best, 15 · ½² = 3.75; so is FPR@95 0.475."""
    assert [number(value) for value in (-0.01234, None)] == ["−1.23", "–"]
    assert [tint(value, "auroc") for value in (0.5, 0.75, 0.25, 1.0)] == [0, 4, -4, 15]
    assert [tint(value, "fpr95_ood") for value in (0.95, 0.475, 0.0, 1.0)] == [0, 4, 15, 0]


def test_an_estimate_is_shown_alone_or_with_its_interval():
    one = {"value": 0.98765, "low": 0.9, "high": 1.0}
    assert [number(one), number(0.5, 0), with_interval(one)] == ["98.77", "50", "98.77 (90.00 to 100.00)"]
    assert with_interval(one, unit=" %") == "98.77 % (90.00 to 100.00)"
    assert [limits(one), interval(one), bracket(one)] == ["90.00 to 100.00", "95 % interval 90.00 to 100.00", "[90.00, 100.00]"]
    assert with_interval({"value": -0.5, "low": -1, "high": 0.25}, 2, 1, sign=True) == "−0.50 (−1.00 to +0.25)"
    assert [with_interval(None), limits(None), interval(None), bracket(None)] == ["–", "–", "", ""]
