"""A repair held against what was there before: tests image by image, Holm, and the outcome."""

from dataclasses import replace

import pytest

from oodkit import delong
from oodkit.changes import gain
from oodkit.delong import Comparison
from oodkit.errors import UsageError
from oodkit.evaluation import mean_weights
from oodkit.metrics import auroc, fpr95_ood
from oodkit.repair import compare_repair, outcome_of, shown_in_shares

from .repairs import (
    BAD,
    GOOD,
    GROUPS,
    HOW,
    REFIT,
    SIZES,
    SLIGHTLY,
    diagnosed,
    mls_of,
    normal_scores,
    really_repaired,
    repaired_by,
    shares_up_to,
    softened,
)


def places(inside, outside):
    """V10 of each ID image and V01 of each OOD image, by comparing all pairs."""
    won = (inside[:, None] > outside).astype(float) + (inside[:, None] == outside) / 2
    return won.mean(1), won.mean(0)


def test_a_mean_over_sets_is_tested_image_by_image_and_not_set_by_set():
    """D = Σ w_k (A_k′ − A_k), Var(D) = Var(Σ w_k (V10_k′ − V10_k))/n_id + Σ w_k² Var(V01_k′ − V01_k)/n_k, of all pairs.

    w = 1/2 for the one near set, 1/4 for each of the two far ones. The interval is D ± 1.96 √Var.
    """
    before, after = normal_scores(2, 1.0), normal_scores(3, 1.2)
    repair = mls_of(before, after)
    changes = {one.ood_set: one for one in repair.changes}
    assert [(one.ood_set, one.group) for one in repair.changes] == [
        ("a", "near"),
        ("near mean", "near mean"),
        ("b", "far"),
        ("c", "far"),
        ("far mean", "far mean"),
        ("mean", "mean"),
    ]
    weights = {"mean": {"a": 0.5, "b": 0.25, "c": 0.25}, "far mean": {"b": 0.5, "c": 0.5}, "c": {"c": 1.0}}
    for name, own in weights.items():
        inside, variance = 0.0, 0.0
        for one, weight in own.items():
            v, w = (places(scores["id"], scores[one]) for scores in (before, after))
            inside = inside + weight * (w[0] - v[0])
            variance += weight**2 * (w[1] - v[1]).var(ddof=1) / SIZES[one]
        variance += inside.var(ddof=1) / 60
        test = changes[name].difference
        assert test.difference == pytest.approx(inside.mean())
        assert test.low == pytest.approx(inside.mean() - 1.959964 * variance**0.5)
        assert test.high == pytest.approx(inside.mean() + 1.959964 * variance**0.5)


def test_the_figures_are_those_of_the_scores_and_the_test_is_the_paired_one():
    repair = mls_of(BAD, GOOD)
    change = next(one for one in repair.changes if one.ood_set == "b")
    for scores, found, fpr in ((BAD, change.auroc_before, change.fpr95_before), (GOOD, change.auroc_after, change.fpr95_after)):
        assert found.value == pytest.approx(auroc(scores["id"], scores["b"]))
        assert fpr == fpr95_ood(scores["id"], scores["b"])
    assert change.difference == delong.compare_aurocs(GOOD["id"], [GOOD["b"]], BAD["id"], [BAD["b"]])
    mean = next(one for one in repair.changes if one.ood_set == "mean")
    sides = ([scores["id"], [scores[name] for name in GROUPS]] for scores in (GOOD, BAD))
    expected = delong.compare_aurocs(*next(sides), *next(sides), mean_weights(list(GROUPS), GROUPS))
    assert mean.difference.p_value == pytest.approx(expected.p_value)
    assert mean.auroc_after.value - mean.auroc_before.value == pytest.approx(mean.difference.difference)


def test_nothing_is_placed_again(monkeypatch):
    """Placing sorts every image, which is what the figures take their time for."""
    before, after = (diagnosed(name, {"mls": scores}) for name, scores in (("net", BAD), ("net + AugDelete", GOOD)))
    monkeypatch.setattr(delong, "place", None)
    monkeypatch.setattr(delong, "share_below", None)
    assert repaired_by(before, after).outcome == "repaired"


def test_holm_goes_over_the_scorers_that_changed_within_one_set():
    """p′ of the k-th smallest of m is the largest (m − j + 1) p_j up to it; what did not change is in no family.

    knn has the same bits; msp differs on b alone, so that it is in the families of b, the far mean and the mean. Over all sets the
    test of mls was fixed beforehand: it is in no family.
    """
    same, partly = normal_scores(4, 1.5), normal_scores(5, 1.5)
    moved = {**partly, "b": partly["b"] - 0.4}
    before = diagnosed("net", {"mls": BAD, "ebo": normal_scores(6, 1.0), "msp": partly, "knn": same})
    after = diagnosed("after", {"mls": GOOD, "ebo": normal_scores(7, 1.4), "msp": moved, "knn": same})
    repair = repaired_by(before, after)
    for name in ("a", "b", "c", "near mean", "far mean", "mean"):
        rows = {one.scorer: one for one in repair.changes if one.ood_set == name}
        assert rows["knn"].difference == Comparison(0.0, 0.0, 0.0, 1.0)
        assert (rows["knn"].p_holm, rows["knn"].changed) == (1.0, False)
        family = {"mls", "ebo", "msp"} if name in {"b", "far mean", "mean"} else {"mls", "ebo"}
        assert {label for label, one in rows.items() if one.changed} == family
        if name == "mean":
            assert rows["mls"].p_holm == rows["mls"].difference.p_value
            family.remove("mls")
        ordered = sorted((rows[label].difference.p_value, label) for label in family)
        raised = 0.0
        for place, (p, label) in enumerate(ordered):
            raised = min(1.0, max(raised, (len(ordered) - place) * p))
            assert rows[label].p_holm == pytest.approx(raised)


def test_the_best_after_the_repair_comes_first():
    before = diagnosed("net", {"mls": BAD, "ebo": GOOD, "msp": normal_scores(8, 1.0)})
    after = diagnosed("after", {"msp": normal_scores(9, 1.2), "mls": GOOD, "ebo": BAD})
    assert list(dict.fromkeys(one.scorer for one in repaired_by(before, after).changes)) == ["mls", "msp", "ebo"]


@pytest.mark.parametrize(
    ("before", "after", "outcome", "words"),
    [
        (BAD, GOOD, "repaired", "The refit repairs net: the maximal logit's mean AUROC rises from "),
        (GOOD, BAD, "harmed", "The refit harms net, keep the head as it was: the maximal logit's mean AUROC falls from "),
        (BAD, SLIGHTLY, "repaired", "The refit repairs net a little: the maximal logit's mean AUROC rises from "),
        (normal_scores(3, 2), normal_scores(9, 2), "no-change", "The refit makes no difference to net that these images show: "),
        (GOOD, GOOD, "no-change", "The refit leaves net as it was: no score of the maximal logit changed."),
    ],
)
def test_the_outcome_is_the_interval_of_the_maximal_logits_mean(before, after, outcome, words):
    """What moves all ID images by 0.02 of their spread is sure, since it never swaps a pair for the worse, and next to nothing."""
    repair = mls_of(before, after)
    mean = next(one.difference for one in repair.changes if one.ood_set == "mean")
    assert repair.outcome == outcome
    assert {"repaired": mean.low > 0, "harmed": mean.high < 0, "no-change": mean.low <= 0 <= mean.high}[outcome]
    assert repair.sentence.startswith(words)


ROSE, A_LITTLE, FELL, OPEN = (
    Comparison(*figures, 0.01)
    for figures in ((0.05, 0.02, 0.08), (0.005, 0.001, 0.009), (-0.03, -0.05, -0.01), (0.03, -0.01, 0.07))
)


@pytest.mark.parametrize(
    ("auroc", "points", "p", "outcome"),
    [
        (ROSE, -0.006, 1e-9, "repaired"),  # the paper's own price
        (ROSE, -0.02, 1e-9, "repaired"),
        (ROSE, -0.021, 1e-9, "harmed"),
        (ROSE, -0.021, 0.0501, "repaired"),
        (ROSE, 0.05, 1e-9, "repaired"),
        (A_LITTLE, -0.009, 1e-9, "repaired"),
        (A_LITTLE, -0.011, 1e-9, "harmed"),
        (OPEN, -0.009, 1e-9, "no-change"),
        (OPEN, -0.011, 0.05, "harmed"),
        (OPEN, -0.011, 0.06, "no-change"),
        (OPEN, 0.05, 1e-9, "no-change"),
        (FELL, 0.05, 1e-9, "harmed"),
    ],
)
def test_accuracy_is_a_price_up_to_a_point_and_harm_beyond_what_is_gained(auroc, points, p, outcome):
    assert outcome_of(auroc, Comparison(points, points - 0.01, points + 0.01, p)) == outcome


def test_a_gain_is_that_of_the_last_change():
    """Of the maximal logit over all sets."""
    repair = mls_of(BAD, GOOD)
    found = gain(diagnosed("net", {"mls": BAD}), diagnosed("after", {"mls": GOOD}).placed)
    assert found == next(one.difference for one in repair.changes if one.ood_set == "mean")


def test_where_no_score_changed_neither_did_the_accuracy():
    """Its interval of other images is of two heads, and these are one."""
    repair = mls_of(GOOD, GOOD)
    assert repair.accuracy == Comparison(0.0, 0.0, 0.0, 1.0)
    assert repair.sentence.endswith(" The ID accuracy stays at 90.00 %.")
    assert repair.notes == ("no score of any scorer changed: what holds before holds after",)


def test_a_refit_of_a_head_that_adds_a_common_term_is_found_to_repair():
    """KNN reads features alone, so that no bit of its scores changes; the shares have the figures of the rows."""
    before, after, repair = really_repaired({"one": softened(300, 2, 0.5), "two": softened(200, 3, 1)})
    assert repair.outcome == "repaired"
    assert {one.scorer for one in repair.changes if one.changed} == {"mls", "ebo"}
    assert "knn: read features alone, which no refit of the last layer changes" in repair.notes
    assert repair.notes[0] == f"of 2 scorers whose scores changed 2 separate better and 0 worse ({HOW})"
    old, new = repair.shares
    assert (old.frac, old.l2, old.seconds) == (0, None, None)
    assert (new.l2, new.start_loss, new.held_out_loss, new.seconds) == (
        repair.refit.l2,
        repair.refit.start_loss,
        repair.refit.held_out_loss,
        0.25,
    )
    assert old.aurocs["mls"] == before.row("mls", "far mean").auroc
    assert new.aurocs["mls"] == after.row("mls", "far mean").auroc
    assert after.verdict.code != "impaired-logits"


def test_the_shares_show_the_maximal_logit_and_the_best_scorer_where_it_reads_logits():
    """A curve of a scorer of features alone would be a flat line."""
    assert shown_in_shares(diagnosed("after", {"mls": BAD, "ebo": GOOD})) == {"mls": "mls", "ebo": "ebo"}
    assert shown_in_shares(diagnosed("after", {"mls": GOOD, "ebo": BAD})) == {"mls": "mls"}
    assert shown_in_shares(diagnosed("after", {"mls": BAD, "knn": GOOD})) == {"mls": "mls"}


def test_a_scorer_without_scores_on_either_side_is_not_compared_and_says_why():
    before = diagnosed("net", {"mls": BAD, "odin": GOOD, "ebo": BAD})
    after = diagnosed("after", {"mls": GOOD, "odin": GOOD, "ebo": GOOD}, reasons=("odin",))
    repair = repaired_by(before, after)
    assert {one.scorer for one in repair.changes} == {"mls", "ebo"}
    assert "odin is not compared: no\nluck" in repair.notes
    assert {one.scorer for one in repaired_by(after, before).changes} == {"mls", "ebo"}


def test_only_the_same_images_are_compared():
    before, after = diagnosed("net", {"mls": BAD}), diagnosed("after", {"mls": GOOD})
    fewer = replace(after, max_logits=[replace(after.max_logits[0], n=59), *after.max_logits[1:]])
    with pytest.raises(UsageError, match=r"of the same images, got ID 60, a 40, b 25, c 50 and ID 59, a 40, b 25, c 50; diagnose"):
        repaired_by(before, fewer)
    with pytest.raises(UsageError, match="of the same images"):
        repaired_by(before, replace(after, max_logits=after.max_logits[:-1]))


@pytest.mark.parametrize("fracs", [(), (0.2, 1.0), (0, 0.5, 0.2), (0, 0)])
def test_shares_ascend_from_the_head_as_it_was(fracs):
    shares = [replace(shares_up_to()[0], frac=frac) for frac in fracs]
    with pytest.raises(UsageError, match="shares ascend from 0, the head as it was, got "):
        compare_repair(diagnosed("net", {"mls": BAD}), diagnosed("after", {"mls": GOOD}), REFIT, shares, seconds=1)


def test_without_the_maximal_logit_nothing_is_judged():
    with pytest.raises(
        UsageError, match="judged by the maximal logit, which has no scores here; diagnose both with the scorer mls"
    ):
        repaired_by(diagnosed("net", {"ebo": BAD}), diagnosed("after", {"ebo": GOOD}))
