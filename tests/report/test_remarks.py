"""The line below the table of scorers that tells which are as good as the best."""

import pytest

from oodkit.report.remarks import remarks


def model(**p_values: float) -> dict:
    rows = [{"scorer": name, "reason": None, "notes": []} for name in ("best", *p_values)]
    rivals = [{"scorer": name, "p_value": p} for name, p in p_values.items()]
    return {"results": rows, "best": "best", "rivals": rivals, "facts": {"notes": []}}


@pytest.mark.parametrize(
    ("p_values", "line"),
    [
        ({"mds": 0.9, "gmm": 0.051, "msp": 0.05}, "not told from best by the paired DeLong test (p > 0.05): mds, gmm"),
        ({"mds": 0.02, "gmm": 0.0001}, "best is ahead of every other by the paired DeLong test (p ≤ 0.0200)"),
        ({"mds": 1e-9}, "best is ahead of every other by the paired DeLong test (p < 0.0001)"),
    ],
)
def test_what_the_paired_test_tells_of_the_best_is_one_line(p_values, line):
    assert remarks(model(**p_values)) == [line]


def test_where_there_is_no_rival_nothing_is_said():
    """One scorer alone, or a result that was made before there were rivals."""
    before = {key: value for key, value in model(mds=0.9).items() if key != "rivals"}
    assert remarks(model()) == remarks(before) == []


def test_a_form_that_shows_few_scorers_claims_no_lead_over_all():
    found = model(mds=0.9)
    assert remarks({**found, "results": found["results"][:1]}) == ["not told from best by the paired DeLong test (p > 0.05): mds"]


def test_they_are_in_the_document(document):
    (found,) = document["models"]
    scorers = {row["scorer"] for row in found["results"] if row["auroc"]}
    assert {one["scorer"] for one in found["rivals"]} == scorers - {found["best"]}
    assert found["rivals"] == sorted(found["rivals"], key=lambda one: -one["difference"])
    assert remarks(found)[0].startswith((f"not told from {found['best']}", f"{found['best']} is ahead"))
