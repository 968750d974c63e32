"""Rows: their order, their figures and means, and the best of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from oodkit.delong import mean_auroc
from oodkit.evaluation import best, best_first, evaluate, mean_weights, most_general_mean, results
from oodkit.metrics import aupr_in, auroc, fpr95_id, fpr95_ood
from oodkit.outputs import Outputs
from oodkit.scorers import make_scorer
from oodkit.scoring import Scored

from .three_classes import GROUPS, one_of_each, outputs_of


@pytest.fixture
def sets():
    return one_of_each()


def test_rows_come_by_group_with_their_means_last(sets):
    rows = evaluate(["msp", "mls"], **sets, groups=GROUPS, model="m", head="h", id_set="digits")
    assert [(row.scorer, row.ood_set, row.group, row.n_ood) for row in rows[:6]] == [
        ("msp", "a", "near", 30),
        ("msp", "b", "near", 40),
        ("msp", "near mean", "near mean", 70),
        ("msp", "c", "far", 50),
        ("msp", "far mean", "far mean", 50),
        ("msp", "mean", "mean", 120),
    ]
    assert [row.scorer for row in rows[6:]] == ["mls"] * 6
    assert {(row.model, row.head, row.id_set, row.n_id, row.reason) for row in rows} == {("m", "h", "digits", 60, None)}


def test_sets_are_far_where_nothing_is_said_and_only_means_that_exist_have_rows(sets):
    assert [row.ood_set for row in evaluate(["msp"], **sets)] == ["a", "c", "b", "far mean"]
    assert [row.ood_set for row in evaluate(["msp"], **sets, groups=dict.fromkeys("abc", "near"))] == ["a", "c", "b", "near mean"]


def test_the_figures_are_those_of_the_metrics(sets):
    scores = {name: make_scorer("mls").score(one) for name, one in {"id": sets["id_test"], **sets["ood"]}.items()}
    rows = {row.ood_set: row for row in evaluate(["mls"], **sets, groups=GROUPS)}
    for name in "abc":
        pair = scores["id"], scores[name]
        assert rows[name].auroc.value == auroc(*pair)
        assert (rows[name].fpr95_ood, rows[name].fpr95_id) == (fpr95_ood(*pair), fpr95_id(*pair))
        assert rows[name].aupr_in == aupr_in(*pair)
    near = [rows["a"], rows["b"]]
    assert rows["near mean"].auroc.value == pytest.approx(np.mean([row.auroc.value for row in near]))
    assert rows["near mean"].fpr95_ood == pytest.approx(np.mean([row.fpr95_ood for row in near], axis=0))
    assert rows["mean"].auroc == mean_auroc(scores["id"], [scores[name] for name in "acb"], [0.25, 0.5, 0.25])
    assert rows["mean"].fpr95_id.value == pytest.approx((rows["near mean"].fpr95_id.value + rows["c"].fpr95_id.value) / 2)


def test_weights_of_the_mean_of_near_and_far_means():
    assert mean_weights(["a", "c", "b"], GROUPS) == [0.25, 0.5, 0.25]
    assert mean_weights(["a", "b"], GROUPS) == [0.5, 0.5]
    assert mean_weights(["x"]) == [1.0]


@pytest.mark.parametrize(("groups", "name"), [(GROUPS, "mean"), (dict.fromkeys("abc", "near"), "near mean"), (None, "far mean")])
def test_the_best_scorer_is_that_of_the_most_general_mean(sets, groups, name):
    rows = evaluate(["msp", "knn", "ash-b", "mds"], sets["id_test"], sets["ood"], groups=groups)
    top = best(rows)
    values = {row.scorer: row.auroc.value for row in rows if row.ood_set == name and row.auroc is not None}
    assert set(values) == {"msp", "ash-b"}, "the others learn, and there is nothing to learn from"
    assert (most_general_mean(rows), top.ood_set, top.auroc.value) == (name, name, max(values.values()))


def test_a_scorer_in_doubt_comes_last(sets):
    """Of 60 training images in three classes the neighbour 21 is of another class, whatever the AUROC says."""
    rows = evaluate(["knn:k=21", "msp"], sets["id_test"], sets["ood"], fit=outputs_of(60, 9, 2.0))
    raised = [replace(row, auroc=row.auroc._replace(value=1.0)) if row.doubted else row for row in rows]
    assert {row.scorer for row in rows if row.doubted} == {"knn"}
    assert [row.scorer for row in best_first(raised)] == ["msp", "knn"]
    assert not any(row.doubted for row in evaluate(["knn:k=20"], sets["id_test"], sets["ood"], fit=outputs_of(60, 9, 2.0)))


def test_nothing_scored_has_no_best(sets):
    rows = evaluate(["knn"], sets["id_test"], sets["ood"])
    assert (best(rows), most_general_mean(rows)) == (None, "far mean")


def test_two_scorers_of_one_name_are_told_apart_by_their_settings():
    outputs = Outputs(torch.rand(20, 4), torch.arange(20) % 2, logits=torch.rand(20, 2))
    rows = evaluate(["knn:k=2", "knn:k=5", "mls"], outputs, {"far": outputs}, fit=outputs)
    assert [row.scorer for row in rows if row.ood_set == "far"] == ["knn:k=2", "knn:k=5", "mls"]


def test_the_interval_of_a_mean_fpr_holds_the_true_value_more_than_95_times_in_100():
    """ID N(2, 1), four OOD sets N(0, 1): t = Φ⁻¹(0.95) = 1.6449, so that the true rate is Φ(1.6449 − 2) = 0.361248 on each set.

    300 draws: were it 95 of 100, the standard error would be 1.3 points.
    """
    rng, held, names = np.random.default_rng(0), 0, ("a", "b", "c", "d")
    for _ in range(300):
        ood = {name: rng.normal(0, 1, 150) for name in names}
        one = Scored("mls", "mls", {}, None, 0, rng.normal(2, 1, 200), ood, 200, dict.fromkeys(names, 150))
        mean = results([one])[-1].fpr95_ood
        held += mean.low <= 0.361248 <= mean.high
    assert held / 300 > 0.97
