"""A scorer whose figures are in doubt is never the best, whatever its AUROC; every form has it so."""

import re

import pytest

from oodkit.report.compare import make_comparison
from oodkit.report.html import render_html
from oodkit.report.model_card import render_model_card
from oodkit.report.remarks import doubt_of, doubted_scorers, remarks, scorers_best_first
from oodkit.scorers.knn import beyond_the_class

from .compared_runs import MIXED, PLAIN, model_of

DOUBT = beyond_the_class(5, 9, 3)
PERFECT = {"value": 1.0, "low": 1.0, "high": 1.0}


def doubt(model: dict, scorer: str, notes: list[str]) -> None:
    """Let it have the highest AUROC of all, and these notes."""
    for row in model["results"]:
        if row["scorer"] == scorer:
            row |= {"auroc": PERFECT, "notes": notes}


@pytest.fixture
def doubted(document) -> dict:
    doubt(document["models"][0], "knn:k=7", [f"the bank is small; {DOUBT}"])
    return document


def test_it_stands_after_those_that_are_not_and_before_those_without_scores(doubted):
    (model,) = doubted["models"]
    order = scorers_best_first(model)
    assert (order[0], order[-2:]) == (model["best"], ["knn:k=7", "mds"])
    assert doubted_scorers(model) == ["knn:k=7"]


def test_why_is_the_part_of_its_notes_that_says_so(doubted):
    (model,) = doubted["models"]
    found = {row["scorer"]: doubt_of(row) for row in model["results"]}
    assert found.pop("knn:k=7") == DOUBT.partition("; ")[0]
    assert set(found.values()) == {None}


def test_the_page_claims_neither_an_order_nor_a_highest_that_there_is_not(compared_run):
    def head_of_the_first_table() -> str:
        return re.search(r'<table class="sortable heat">.*?</thead>', render_html(compared_run), re.DOTALL)[0]

    def is_sound(head: str) -> bool:
        return 'aria-sort="descending"' in head and "best first. " in head and "not in doubt" not in head

    assert is_sound(head_of_the_first_table())
    last = scorers_best_first(compared_run.document["models"][0])[-1]
    for row in compared_run.document["models"][0]["results"]:
        row["notes"] = [DOUBT] if row["scorer"] == last else []
    assert is_sound(head_of_the_first_table()), "one that is last by its AUROC too"
    doubt(compared_run.document["models"][0], "knn:k=7", [DOUBT])
    told = head_of_the_first_table()
    assert "aria-sort" not in told
    assert "best first, those in doubt last. " in told
    assert " AUROC of those not in doubt." in told


def test_the_best_is_told_to_be_ahead_of_those_alone_that_are_not_in_doubt(doubted):
    """The other has the higher AUROC, and the test tells them apart."""
    (model,) = doubted["models"]
    rival = {"difference": 0.2, "low": 0.1, "high": 0.3, "p_value": 1e-6}
    model["rivals"] = [{**rival, "scorer": "knn:k=7"}]
    for told in (remarks(model), remarks(model, shown=[model["best"]])):
        assert not any("DeLong" in line for line in told)
    model["rivals"].append({**rival, "scorer": "react", "p_value": 0.01})
    assert remarks(model)[0] == f"{model['best']} is ahead of every other not in doubt by the paired DeLong test (p ≤ 0.0100)"


def test_a_model_card_shows_the_best_though_many_in_doubt_are_above_it(document):
    (model,) = document["models"]
    for scorer in ("knn:k=5", "knn:k=7", "react"):
        doubt(model, scorer, [DOUBT])
    model["best"] = "ash-b"
    assert "\n| ash-b | " in render_model_card(document)


def test_a_comparison_says_in_which_models_a_scorer_is_in_doubt(pair):
    def told() -> list[str]:
        notes = make_comparison([("first", pair[PLAIN]), ("second", pair[MIXED])], command="x")["notes"]
        return [note for note in notes if "in doubt" in note]

    why = DOUBT.partition("; ")[0]
    assert told() == []
    doubt(model_of(pair[MIXED]), "msp", [DOUBT])
    assert told() == [f"msp is in doubt in B: {why}"]
    doubt(model_of(pair[PLAIN]), "msp", [f"the bank is small; {DOUBT}"])
    assert told() == [f"msp is in doubt in A, B: {why}"]


def test_in_a_comparison_the_best_of_a_model_is_not_in_doubt(pair):
    def best_of_the_second() -> str:
        return make_comparison([("first", pair[PLAIN]), ("second", pair[MIXED])], command="x")["models"][1]["best"]

    doubt(model_of(pair[MIXED]), "msp", [])
    assert best_of_the_second() == "msp"
    doubt(model_of(pair[MIXED]), "msp", [DOUBT])
    assert best_of_the_second() != "msp"
