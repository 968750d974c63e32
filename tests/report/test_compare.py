"""Runs side by side: the figures and tests are those of the stored scores, and what can't be compared is told."""

from copy import deepcopy

import numpy as np
import pytest

from oodkit.accuracies import compare_accuracies
from oodkit.delong import compare_aurocs, compare_placements, compare_unpaired, mean_auroc, place, weigh
from oodkit.errors import InputError, UsageError
from oodkit.holm import holm
from oodkit.metrics import Estimate, difference
from oodkit.report.compare import BEST, make_comparison
from oodkit.report.compare_sheets import remarks_on, sheets
from oodkit.report.runs import Run

from .compared_runs import MIXED, PLAIN, VALIDATOR, far_set, model_of, result, scores


def test_differences_are_those_of_the_paired_test_on_the_stored_scores(pair, compare):
    document = compare()
    (first_id, *first), (id_scores, *others) = scores(pair, "knn:k=5")
    for name, which, weights in (("near", [0], [1]), (far_set(pair[PLAIN]), [1], [1]), ("mean", [0, 1], [0.5, 0.5])):
        expected = compare_aurocs(id_scores, [others[i] for i in which], first_id, [first[i] for i in which], weights)
        row = result(document, "knn:k=5", name)
        against = row["against"]
        assert [against[key] for key in ("difference", "low", "high", "p_value")] == pytest.approx(
            [expected.difference, expected.low, expected.high, expected.p_value]
        )
        assert (against["paired"], against["unpaired"]) == ("all", [])
        assert tuple(row["auroc"].values()) == pytest.approx(mean_auroc(id_scores, [others[i] for i in which], weights))
        assert result(document, "knn:k=5", name, "A")["against"] is None


def test_figures_of_single_sets_are_those_of_the_runs(pair, compare):
    document = compare()
    for run, key in ((pair[PLAIN], "A"), (pair[MIXED], "B")):
        for row in model_of(run)["results"]:
            if row["reason"] is None and row["group"] in {"near", "far"}:
                found = result(document, row["scorer"], row["ood_set"], key)
                assert found["auroc"]["value"] == pytest.approx(row["auroc"]["value"])
                assert found["fpr95_ood"] == pytest.approx(row["fpr95_ood"])
                assert (found["spec"], found["n_id"], found["n_ood"]) == (row["spec"], row["n_id"], row["n_ood"])


def test_accuracies_are_compared_image_by_image(pair, compare):
    document = compare()
    found = compare_accuracies(pair[MIXED].correct[MIXED], pair[PLAIN].correct[PLAIN])
    told = document["models"][1]["accuracy_difference"]
    assert document["models"][0]["accuracy_difference"] is None
    assert told == {"value": found.difference, "low": found.low, "high": found.high, "p_value": found.p_value, "paired": True}
    first, other = (model_of(pair[name])["accuracy"]["value"] for name in (PLAIN, MIXED))
    assert told["value"] == pytest.approx(other - first)
    assert told["value"] != 0


@pytest.mark.parametrize("lacks", ["marks of the first", "marks of another length", "the same images"])
def test_accuracies_of_other_images_or_of_older_runs_are_unpaired_and_that_is_said(pair, compare, lacks):
    if lacks == "the same images":
        model_of(pair[MIXED])["read"]["id"] = {"n": 40, "images": "f" * 32}
    elif lacks == "marks of the first":
        pair[PLAIN].correct.clear()
    else:
        pair[MIXED].correct[MIXED] = np.ones(3, np.uint8)
    document = compare()
    first, other = (Estimate(**model_of(pair[name])["accuracy"]) for name in (PLAIN, MIXED))
    unpaired = {**difference(other, first)._asdict(), "p_value": None, "paired": False}
    assert document["models"][1]["accuracy_difference"] == unpaired
    assert sheets(document)[0].rows[1][-2].endswith(", unpaired")
    run = {"marks of the first": "first", "marks of another length": "second"}.get(lacks)
    said = (
        f"is not stored in {run}: for the accuracies of A and B they count as independent" if run else "not read the same ID images"
    )
    assert said in document["notes"][0]


def test_fprs_differ_as_of_independent_images(compare):
    document = compare()
    a, b = (Estimate(**result(document, "mls", "mean", key)["fpr95_ood"]) for key in "AB")
    assert result(document, "mls", "mean")["against"]["fpr95_ood"] == difference(b, a)._asdict()


def test_other_images_of_one_set_unpair_these_and_no_others(pair, compare):
    model_of(pair[MIXED])["read"]["near"] = {"n": 40, "images": "f" * 32}
    document = compare()
    (first_id, *first), (id_scores, *others) = scores(pair, "mls")
    placed = [[place(inside, one) for one in sets] for inside, sets in ((id_scores, others), (first_id, first))]
    for name, which, shared in (("near", [0], [True, False]), ("mean", [0, 1], [True, False, True])):
        expected = compare_placements(*(weigh([own[at] for at in which]) for own in placed), shared)
        against = result(document, "mls", name)["against"]
        assert [against[key] for key in ("low", "high", "p_value")] == pytest.approx(
            [expected.low, expected.high, expected.p_value]
        )
        assert (against["paired"], against["unpaired"]) == ("part", ["near"])
    assert result(document, "mls", far_set(pair[PLAIN]))["against"]["paired"] == "all"
    assert [one["paired"] for one in document["sets"]] == [{"B": False}, {"B": True}]
    what = "A and B did not read the same images of near: there, and in the means over them, these images count as independent"
    assert document["notes"][0].startswith(what)
    assert any(cell.endswith(", paired in part") for row in sheets(document)[1].rows for cell in row)


def test_where_no_images_are_the_same_nothing_is_paired(pair, compare):
    model = model_of(pair[MIXED])
    model["read"] = {name: {**one, "images": f"{at + 9:032x}"} for at, (name, one) in enumerate(model["read"].items())}
    document = compare()
    (first_id, near, _), (id_scores, other, _) = scores(pair, "mls")
    expected = compare_unpaired(place(id_scores, other), place(first_id, near))
    assert result(document, "mls", "near")["against"]["p_value"] == pytest.approx(expected.p_value)
    assert {row["against"]["paired"] for row in document["results"] if row["against"]} == {"none"}
    assert any(cell.endswith(", unpaired") for row in sheets(document)[1].rows for cell in row)
    assert document["notes"][0].startswith(
        "A and B did not read the same ID images (A 40 of folder/id, B 40 of folder/id); nor those of near, "
    )


def test_what_only_one_has_is_left_out(pair, compare):
    far = far_set(pair[PLAIN])
    model = model_of(pair[MIXED])
    model["results"] = [row for row in model["results"] if row["ood_set"] not in {far, "far mean", "mean"}]
    for row in model["results"]:
        if row["scorer"] == "mds":
            row.update(auroc=None, fpr95_ood=None, reason="a singular matrix")
    del pair[MIXED].scores[MIXED]["mds"]
    first = model_of(pair[PLAIN])
    first["results"] = [row for row in first["results"] if row["scorer"] != "mls"]
    document = compare()
    assert document["left_out"] == [
        {"kind": "set", "name": far, "why": "B: not asked for"},
        {"kind": "scorer", "name": "mds", "why": "B: a singular matrix"},
        {"kind": "scorer", "name": "mls", "why": "A: not asked for"},
    ]
    assert (document["summary"], [one["name"] for one in document["sets"]]) == ("near", ["near"])
    assert {row["ood_set"] for row in document["results"]} == {"near"}


def test_means_are_over_the_common_sets(pair, compare):
    """A set that the reference alone has does not move the means, which the run itself takes over it too."""
    before = compare()
    run, far = pair[PLAIN], far_set(pair[PLAIN])
    model = model_of(run)
    model["results"] += [{**row, "ood_set": "extra"} for row in model["results"] if row["ood_set"] == "near"]
    model["read"]["extra"] = model["read"]["near"]
    run.scores[PLAIN].update({name: {**one, "extra": one["near"] + 1} for name, one in run.scores[PLAIN].items()})
    after = compare()
    assert after["left_out"] == [{"kind": "set", "name": "extra", "why": "B: not asked for"}]
    assert [one["name"] for one in after["sets"]] == ["near", far]
    assert after["results"] == before["results"]


def test_p_values_are_adjusted_for_all_tests_of_means_and_for_all_others(compare):
    document = compare()
    results = [row for row in document["results"] if row["scorer"] != BEST]
    scorers = {row["scorer"] for row in results}
    assert document["tests"] == {"summary": len(scorers), "sets": 2 * len(scorers), "identical": 0}
    for chosen in (True, False):
        tested = [row["against"] for row in results if row["against"] and (row["ood_set"] == "mean") == chosen]
        assert [one["p_holm"] for one in tested] == holm([one["p_value"] for one in tested])


def test_each_ones_best_is_that_of_its_own_scorers_over_the_common_sets(pair, compare):
    del pair[PLAIN].scores[PLAIN]["mds"]
    document = compare()
    for name, model in zip((PLAIN, MIXED), document["models"], strict=True):
        means = {row["scorer"]: row["auroc"]["value"] for row in model_of(pair[name])["results"] if row["ood_set"] == "mean"}
        means = {scorer: value for scorer, value in means.items() if scorer in pair[name].scores[name]}
        assert means[model["best"]] == max(means.values())
        assert result(document, BEST, "mean", model["key"])["auroc"]["value"] == pytest.approx(max(means.values()))


def test_equal_names_with_other_settings_are_compared_and_the_settings_told(pair, compare):
    for row in model_of(pair[MIXED])["results"]:
        if row["scorer"] == "knn:k=5":
            row.update(settings={**row["settings"], "k": 9}, n_fit=50)
    document = compare()
    assert document["settings"] == [
        {"scorer": "knn:k=5", "setting": "k", "values": {"A": 5, "B": 9}},
        {"scorer": "knn:k=5", "setting": "images learnt from", "values": {"A": 60, "B": 50}},
    ]
    assert "knn:k=5: k 5 in A, 9 in B" in remarks_on(document)


def test_models_of_one_name_are_told_apart_by_their_runs(pair):
    again = Run(deepcopy(pair[PLAIN].document), pair[PLAIN].scores)
    again.document["settings"]["preset"] = "paper"
    model_of(again)["facts"]["preprocessing"]["preset"] = "of the transform"  # no setting, though it is called like one
    document = make_comparison([("one", pair[PLAIN]), ("two", again)], command="x")
    assert [one["label"] for one in document["models"]] == [f"{PLAIN} (one)", f"{PLAIN} (two)"]
    assert "B has the very weights of A" in document["notes"]
    assert document["inputs"] == [
        {"input": "preset", "values": {"A": "openood", "B": "paper"}},
        {"input": "preprocessing: preset", "values": {"A": None, "B": "of the transform"}},
    ]
    assert "preprocessing: preset: none in A, of the transform in B" in remarks_on(document)


def test_several_models_of_one_run_are_all_compared(compared_run):
    document = make_comparison([("run", compared_run)], command="x")
    assert [(one["key"], one["label"]) for one in document["models"]] == [("A", PLAIN), ("B", MIXED)]


def test_what_cannot_be_compared_is_refused(pair):
    def refused(second, match, error=UsageError):
        with pytest.raises(error, match=match):
            make_comparison([("first", pair[PLAIN]), ("second", second)], command="x")

    with pytest.raises(UsageError, match="a comparison needs two models, got only net<br>; give another RUN, or --published"):
        make_comparison([("first", pair[PLAIN])], command="x")
    other = pair[MIXED]
    refused(Run(other.document), "second has no scores of softened & <mixed> beside its result .*diagnose again", InputError)
    renamed = deepcopy(other.document)
    for row in renamed["models"][0]["results"]:
        row["ood_set"] = {"near": "hills", far_set(other): "sea"}.get(row["ood_set"], row["ood_set"])
    refused(Run(renamed, other.scores), r"no OOD set in common: .*\\x1b.*; softened & <mixed> has hills, sea; diagnose on sets")
    few = {MIXED: {"mls": other.scores[MIXED]["mls"]}}
    less = {PLAIN: {"msp": pair[PLAIN].scores[PLAIN]["msp"]}}
    with pytest.raises(UsageError, match="no scorer in common: net<br> has msp; softened & <mixed> has mls; diagnose with the"):
        make_comparison([("first", Run(pair[PLAIN].document, less)), ("second", Run(other.document, few))], command="x")
    damaged = deepcopy(other.document)
    del damaged["models"][0]["verdict"]
    refused(Run(damaged, other.scores), "the result of second is damaged: it lacks 'verdict'; diagnose again", InputError)


def test_a_repair_is_compared_like_any_run_and_agrees_with_itself(repaired_run):
    """Its two models and the differences of their means; Holm's p is not, since a repair leaves mls out of the family."""
    document = make_comparison([("repair", repaired_run)], command="oodkit compare repair")
    VALIDATOR.validate(document)
    assert [one["name"] for one in document["models"]] == [repaired_run.document["repair"][key] for key in ("before", "after")]
    for one in (row for row in repaired_run.document["repair"]["changes"] if row["ood_set"] == "mean"):
        against = result(document, one["scorer"], "mean")["against"]
        assert (against["paired"], against["identical"]) == ("all", not one["changed"])
        assert [against[key] for key in ("difference", "low", "high")] == pytest.approx(
            [one["difference"][key] for key in ("difference", "low", "high")]
        )
        assert against["p_holm"] >= one["difference"]["p_value"] * (1 - 1e-9)
    assert document["models"][1]["accuracy_difference"]["p_value"] == repaired_run.document["repair"]["accuracy"]["p_value"]
