"""Means over the steps of an epoch, also over processes of which one lacks a part."""

import pytest
import torch

from oodkit.training.batch import Found
from oodkit.training.tally import Figures, Tally


def add(tally, parts, correct=None):
    found = Found({name: torch.tensor(value) for name, value in parts.items()}, correct)
    tally.add(sum(found.parts.values()), found)


def test_means_over_steps_and_a_part_that_comes_late_counts_as_nothing_before():
    tally = Tally()
    add(tally, {"ce": 2.0}, torch.tensor([True, False]))
    add(tally, {"ce": 1.0, "late": 4.0}, torch.tensor([True, True, False, False]))
    assert tally.figures(lambda own: own) == Figures(3.5, {"ce": 1.5, "late": 2.0}, 0.5)
    tally.clear()
    add(tally, {"ce": 7.0})
    assert tally.figures(lambda own: own) == Figures(7.0, {"ce": 7.0}, None)


def test_of_all_processes_together():
    tally, other = Tally(), Tally()
    add(tally, {"ce": 2.0}, torch.tensor([True]))
    add(other, {"ce": 4.0, "late": 1.0}, torch.tensor([False]))
    assert tally.figures(lambda own: [*own, other.numbers()]) == Figures(3.5, {"ce": 3.0, "late": 0.5}, 0.5)


def test_it_goes_on_from_its_numbers():
    tally, resumed = Tally(), Tally()
    add(tally, {"ce": 2.0}, torch.tensor([True, False]))
    resumed.sums = tally.numbers()
    for one in (tally, resumed):
        add(one, {"ce": 0.1}, torch.tensor([True, False]))
    assert resumed.numbers() == tally.numbers()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_loss_that_is_not_finite_is_remembered(value):
    tally = Tally()
    add(tally, {"ce": value})
    add(tally, {"ce": 1.0})
    assert not tally.finite
    tally.clear()
    assert tally.finite
