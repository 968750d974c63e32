"""The glossary defines outcomes as the code decides them."""

import pytest

from oodkit.delong import Comparison
from oodkit.lead import MARGIN
from oodkit.repair import DEAR, outcome_of
from oodkit.report.glossary import terms_named
from oodkit.rivals import APART


def text_of(key: str) -> str:
    (term,) = terms_named({key})
    return term["text"]


SAME = Comparison(0.0, 0.0, 0.0, 1.0)
BETTER, HARDLY, WORSE = (
    Comparison(0.05, 0.04, 0.06, 0.01),
    Comparison(0.005, 0.001, 0.009, 0.01),
    Comparison(-0.02, -0.03, -0.01, 0.01),
)


def fall(points: float) -> Comparison:
    """Of the accuracy, beyond chance."""
    return Comparison(-points / 100, -points / 100 - 0.005, -points / 100 + 0.005, 0.01)


@pytest.mark.parametrize(
    ("auroc", "accuracy", "outcome", "part"),
    [
        (WORSE, SAME, "harmed", "is lower after the repair beyond"),
        (BETTER, fall(3), "harmed", f"more than {100 * DEAR:g} points"),
        (HARDLY, fall(1.5), "harmed", f"more than {100 * MARGIN:g} without"),
        (BETTER, fall(1.5), "repaired", "the ID accuracy did not fall so far"),
        (SAME, SAME, "no-change", "holds 0"),
    ],
)
def test_every_way_to_an_outcome_stands_in_its_definition(auroc, accuracy, outcome, part):
    assert outcome_of(auroc, accuracy) == outcome
    assert part in text_of(outcome)


def test_harm_is_by_the_p_that_it_names():
    assert f"p ≤ {APART:g}" in text_of("harmed")
