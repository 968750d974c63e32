"""A few of the mutants of which ``nox -s torture`` reads thousands."""

import warnings

import pytest

from ..stored_files import KINDS, outcome  # noqa: TID252 (tests are no package)
from .files import MORE_KINDS
from .mutate import kind_of, mutant_of

EACH = 6


@pytest.fixture(autouse=True)
def nothing_is_looked_up(monkeypatch):
    monkeypatch.setattr("oodkit.models.reach.is_within_reach", lambda _: False)


@pytest.mark.parametrize("name", [*MORE_KINDS, *KINDS[:6], *KINDS[-5:]])
def test_a_mutant_is_refused_in_one_line_or_read(name, tmp_path):
    kind = kind_of(tmp_path, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numbers of a mutant may be beyond all bounds
        for number in range(EACH):
            outcome(kind, mutant_of(kind, 0, number))


def test_the_same_words_make_the_same_mutant_and_others_another(tmp_path):
    kind = kind_of(tmp_path, "head:fc")
    assert mutant_of(kind, 1, 7) == mutant_of(kind, 1, 7)
    assert len({mutant_of(kind, seed, number) for seed in range(3) for number in range(9)}) > 20
