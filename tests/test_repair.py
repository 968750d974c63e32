"""A repair held against what was there before: tests image by image, Holm, the outcome, and a sentence true in every case."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from oodkit import delong
from oodkit.accuracies import compare_accuracies, marks_of
from oodkit.changes import Share, gain, share_of
from oodkit.delong import Comparison
from oodkit.diagnosis import Diagnosis, diagnose
from oodkit.errors import UsageError
from oodkit.evaluation import evaluate, mean_weights, results_and_placements
from oodkit.head import Head
from oodkit.lead import Lead
from oodkit.max_logits import logit_rows
from oodkit.metrics import Estimate, accuracy, auroc, fpr95_ood
from oodkit.outputs import Outputs
from oodkit.refitting import Refit, refit
from oodkit.repair import Repair, compare_repair, outcome_of, shown_in_shares
from oodkit.repair_words import _not_ruled_out, fell
from oodkit.scoring import Scored, by_label
from oodkit.verdict import Verdict

HEAD = Head(torch.eye(2), torch.zeros(2))
REFIT = Refit(HEAD, "lbfgs", "head", 0.1, 80, 20, 0.5, 0.25, (), 7, 1e-4, 1e-3, True, ())
HOW = "p ≤ 0.05; all but that of mls, the one test fixed beforehand, adjusted after Holm"
SMOOTHED = ("label smoothing 0.1", "mixup 0.2")
GROUPS = {"a": "near", "b": "far", "c": "far"}
SIZES = {"id": 60, "a": 40, "b": 25, "c": 50}


def shares_up_to(frac=1.0):
    whole = Estimate(0.9, 0.8, 1.0)
    return (Share(0, 0, whole, {"mls": whole}), Share(frac, 100, whole, {"mls": whole}, 0.1, 0.5, 0.25, 1.5))


def normal_scores(seed, distance):
    """By set: scores of spread 1, those of ID images ``distance`` higher."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(distance if name == "id" else 0, 1, size) for name, size in SIZES.items()}


def scored_as(name, scores, reason=None):
    ood = {one: scores[one] for one in GROUPS}
    counts = {one: len(own) for one, own in ood.items()}
    known = (name, name, {}, None, 0)
    if reason:
        return Scored(*known, np.empty(0), {}, len(scores["id"]), counts, reason=reason)
    return Scored(*known, scores["id"], ood, len(scores["id"]), counts)


def diagnosed(model, scorers, right=54, reasons=()):
    """scorers: by name scores by set. right: so many of the 60 ID images, the first, are classified correctly."""
    scored = [scored_as(name, scores, "no\nluck" if name in reasons else None) for name, scores in scorers.items()]
    rows, _, placed = results_and_placements(scored, GROUPS, model=model, id_set="id")
    labels, predictions = np.zeros(60), np.where(np.arange(60) < right, 0, 1)
    return Diagnosis(
        model,
        "id",
        accuracy(predictions, labels),
        rows,
        logit_rows(by_label(scored)["mls"], GROUPS) if "mls" in scorers else logit_rows(scored[0], GROUPS),
        [],
        None,
        Lead(),
        Verdict("undetermined", "", (), ()),
        marks_of(predictions, labels),
        scored,
        placed=placed,
    )


def repaired_by(before, after, *, frac=1.0, **facts) -> Repair:
    return compare_repair(before, after, REFIT, shares_up_to(frac), seconds=2.5, **facts)


def mls_of(before, after, **facts) -> Repair:
    """before, after: scores of the maximal logit by set."""
    return repaired_by(diagnosed("net", {"mls": before}), diagnosed("net + AugDelete", {"mls": after}), **facts)


BAD, GOOD = normal_scores(0, 0.5), normal_scores(1, 3.0)
SLIGHTLY = {name: scores + (0.02 if name == "id" else 0) for name, scores in BAD.items()}


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


def test_the_sentence_has_the_points_the_interval_and_both_accuracies():
    """With all OOD images at 2 and ID images at 1 or 3 the AUROC is the share of the ID images that lie at 3."""
    ones = {name: np.full(size, 2.0) for name, size in SIZES.items()}
    before = {**ones, "id": np.r_[np.full(36, 3.0), np.full(24, 1.0)]}  # 36/60
    after = {**ones, "id": np.r_[np.full(54, 3.0), np.full(6, 1.0)]}  # 54/60
    diagnoses = diagnosed("net", {"mls": before}, right=54), diagnosed("net + AugDelete", {"mls": after}, right=57)
    repair = repaired_by(*diagnoses)
    # 18 ID images rise by 1, 42 stay: mean 0.3, variance (18·0.7² + 42·0.3²)/59 = 0.21356, error √(0.21356/60) = 0.05966
    assert (
        "rises from 60.00 to 90.00 %, by 30.00 points (95 % interval +18.31 to +41.69, paired DeLong p < 0.0001)."
        in repair.sentence
    )
    # 3 won, 0 lost: p = 2 · 0.5³
    assert (
        "The ID accuracy goes from 90.00 to 95.00 % (+5.00 points, McNemar p = 0.25), which chance can explain." in repair.sentence
    )
    assert repair.accuracy == compare_accuracies(diagnoses[1].correct, diagnoses[0].correct)


@pytest.mark.parametrize(
    ("right", "words"),
    [
        (40, "The ID accuracy falls from 90.00 to 66.67 % (−23.33 points, McNemar p = 0.0001)."),
        (60, "The ID accuracy rises from 90.00 to 100.00 % (+10.00 points, McNemar p = 0.0313)."),
        (54, "The ID accuracy stays at 90.00 %."),
        (53, "The ID accuracy goes from 90.00 to 88.33 % (−1.67 points, McNemar p = 1.00), which chance can explain."),
    ],
)
def test_an_accuracy_that_fell_beyond_chance_is_plainly_said_and_is_harm(right, words):
    """With all that the maximal logit gained: 23 points of accuracy are more than any repair may cost."""
    repair = repaired_by(diagnosed("net", {"mls": BAD}), diagnosed("after", {"mls": GOOD}, right=right))
    assert repair.sentence.endswith(words)
    assert repair.outcome == ("harmed" if right == 40 else "repaired")
    assert ("The refit harms net, keep the head as it was: it costs more accuracy than" in repair.sentence) == (right == 40)


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


def test_words_on_the_accuracy_follow_its_p_value_and_not_the_interval():
    """10 won and 22 lost of 1000: Bonett and Price's interval ends below 0, McNemar's exact p is 0.0501."""
    first, second = np.zeros(1000, np.uint8), np.zeros(1000, np.uint8)
    first[:10], second[10:32] = 1, 1
    found = compare_accuracies(first, second)
    assert (found.high < 0, round(found.p_value, 4)) == (True, 0.0501)
    assert fell(found) == 0


def test_a_price_is_told_in_the_headline():
    """8 of 800 are lost, none won, McNemar's p is 2 · 0.5⁸."""
    before, after = diagnosed("net", {"mls": BAD}), diagnosed("after", {"mls": GOOD})
    marks = np.ones(800, np.uint8)
    lost = np.r_[np.zeros(8, np.uint8), np.ones(792, np.uint8)]
    repair = repaired_by(replace(before, correct=marks), replace(after, correct=lost))
    assert repair.outcome == "repaired"
    assert repair.sentence.startswith("The refit repairs net, at a price: ")
    assert repair.sentence.endswith("(−1.00 points, McNemar p = 0.0078): that is the price.")


def test_a_head_worse_than_chance_on_labelled_images_is_told_in_the_sentence():
    """ln 2 = 0.69 is the loss of a guess between two classes."""
    wrong = replace(REFIT, start_loss=3.25)
    for made, told in (
        (wrong, True),
        (replace(wrong, init="zeros"), False),
        (replace(wrong, start_loss=None), False),
        (REFIT, False),
    ):
        before, after = diagnosed("net", {"mls": BAD}), diagnosed("after", {"mls": GOOD})
        sentence = compare_repair(before, after, made, shares_up_to(), seconds=1).sentence
        words = (
            "The head as it was does worse than chance on labelled images (a loss of 3.25 nats, of a guess 0.69): check the order"
        )
        assert (words in sentence) == told


def test_shares_that_do_what_the_last_does_not_are_named():
    worse, better, unsure = Comparison(-0.2, -0.3, -0.1, 0.01), Comparison(0.2, 0.1, 0.3, 0.01), Comparison(0.1, -0.1, 0.3, 0.5)
    whole = Estimate(0.9, 0.8, 1.0)
    known = {0.05: worse, 0.1: worse, 0.2: worse, 0.3: unsure, 0.5: better, 1.0: None}
    shares = [Share(0, 0, whole, {}), *(Share(frac, 9, whole, {}, difference=one) for frac, one in known.items())]

    def notes(first, then):
        diagnoses = diagnosed("net", {"mls": first}), diagnosed("after", {"mls": then})
        return compare_repair(*diagnoses, REFIT, shares, seconds=1).notes

    told = "of the training images the maximal logit separates"
    assert notes(BAD, GOOD)[0] == f"at 5, 10 and 20 % {told} worse than untouched"
    assert notes(GOOD, BAD)[0] == f"at 50 % {told} better than untouched"
    assert not [note for note in notes(BAD, GOOD)[1:] if "untouched" in note]


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


SMALL = {name: scores + (0.001 if name == "id" else 0) for name, scores in GOOD.items()}
NOISY = normal_scores(3, 2), normal_scores(9, 2)
PLAIN = "It was trained on plain labels, with no label smoothing, mixup or cutmix in their place"
NOTHING = f"{PLAIN}: there was nothing to repair."
NO_HELP = "It was trained with label smoothing 0.1, mixup 0.2, and yet a refit of the last layer does not help here."


@pytest.mark.parametrize(
    ("scores", "softeners", "frac", "words"),
    [
        ((GOOD, SMALL), (), 0.2, NOTHING),
        ((GOOD, BAD), (), 0.2, NOTHING),
        ((BAD, GOOD), (), 0.2, f"{PLAIN}, so these are not what was repaired."),
        ((BAD, GOOD), SMOOTHED, 0.2, ""),
        ((BAD, GOOD), None, 0.2, ""),
        ((GOOD, BAD), SMOOTHED, 0.2, "A larger share of the training images may do better."),
        ((GOOD, BAD), None, 1, ""),
        (
            (GOOD, SMALL),
            None,
            1,
            "How it was trained is not known; without label smoothing, mixup or cutmix there is nothing to repair.",
        ),
        (
            (GOOD, SMALL),
            SMOOTHED,
            0.2,
            f"{NO_HELP} A larger share of the training images may do better.",
        ),
        ((GOOD, GOOD), SMOOTHED, 0.2, NO_HELP),
    ],
)  # fmt: skip
def test_what_the_recipe_and_the_share_have_to_do_with_it(scores, softeners, frac, words):
    sentence = mls_of(*scores, softeners=softeners, frac=frac).sentence
    first, _, rest = sentence.partition("). " if "paired DeLong" in sentence else "changed. ")
    assert first
    assert rest.partition("The ID accuracy")[0].strip() == words


def test_what_is_not_ruled_out_is_told_on_both_sides():
    repair = mls_of(*NOISY, softeners=SMOOTHED)
    found = next(one.difference for one in repair.changes if one.ood_set == "mean")
    assert found.high > 0.01
    assert found.low < -0.01
    both = f"A loss of up to {-100 * found.low:.2f} and a gain of up to {100 * found.high:.2f} points are not ruled out"
    assert f"{both}: more test images tell." in repair.sentence


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.005, 0.02, "A gain of up to 2.00 points is"),
        (-0.02, 0.005, "A loss of up to 2.00 points is"),
        (-0.19, 0.05, "A loss of up to 19.00 and a gain of up to 5.00 points are"),
        (-0.005, 0.005, ""),
    ],
)
def test_both_sides_of_no_change_are_told_where_they_are_worth_a_point(low, high, words):
    assert _not_ruled_out(Comparison(0.0, low, high, 0.5)) == words


def softened(rows, seed, shift):
    """Two classes by the sign of the first of 6 features, ``shift`` from 0; the last feature is large where ``shift`` is small."""
    features = torch.randn(rows, 6, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(rows) % 2
    features[:, 0] += shift * (1 - 2 * labels)
    features[:, 5] += 4 - 1.5 * shift
    weight = torch.zeros(2, 6)
    weight[0, 0], weight[1, 0], weight[:, 5] = 1, -1, 1.0
    return Outputs(features, labels, head=Head(weight, torch.zeros(2)))


def really_repaired(ood):
    """A head that adds to both logits what is large on OOD images, as cross-entropy can't see; refitted from zeros it does not."""
    test, train, groups = softened(400, 0, 3), softened(600, 1, 3), dict.fromkeys(ood, "far")
    made = refit(train, init="zeros")
    scorers = ["mls", "ebo", "knn:k=5"]
    before = diagnose("net", test, ood, fit=train, scorers=scorers, groups=groups, softeners=SMOOTHED)
    own = {name: outputs.with_head(made.head) for name, outputs in ood.items()}
    fit = train.with_head(made.head)
    after = diagnose(
        "after", test.with_head(made.head), own, fit=fit, scorers=scorers, groups=groups, baseline=before, refitted=True
    )
    shown = shown_in_shares(after)
    rows = evaluate(list(shown.values()), test.with_head(made.head), own, fit=fit, groups=groups)
    first = share_of(0, 0, before.accuracy, before.rows, shown)
    shares = [first, share_of(0.5, 600, after.accuracy, rows, shown, made, 0.25, gain(before, after.placed))]
    return before, after, compare_repair(before, after, made, shares, seconds=0.25, softeners=SMOOTHED)


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


def test_with_a_single_ood_set_its_auroc_is_no_mean():
    _, _, repair = really_repaired({"one": softened(300, 2, 0.5)})
    assert [one.ood_set for one in repair.changes if one.scorer == "mls"] == ["one", "far mean"]
    assert "the maximal logit's AUROC rises from" in repair.sentence


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


def test_the_notes_name_what_could_not_change_what_did_not_and_the_best():
    same, other = normal_scores(4, 1.5), normal_scores(5, 2.0)
    before = diagnosed("net", {"mls": BAD, "knn": same, "mds": same, "neco": same, "ebo": GOOD})
    after = diagnosed("after", {"mls": GOOD, "knn": same, "mds": same, "neco": same, "ebo": other})
    repair = repaired_by(before, after)
    top = {one.scorer: one for one in repair.changes if one.ood_set == "mean"}
    best = 100 * top["ebo"].auroc_before.value, 100 * top["mls"].auroc_after.value
    assert repair.notes == (
        f"of 2 scorers whose scores changed 1 separate better and 1 worse ({HOW})",
        "knn, mds: read features alone, which no refit of the last layer changes",
        "neco: the same scores before and after",
        f"the best scorer: ebo before ({best[0]:.2f} %), mls after ({best[1]:.2f} %)",
        "the intervals are of these two heads on other test images; a refit on other training images is another head",
    )


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


def test_a_models_name_is_told_as_it_is():
    """Whoever shows the sentence makes it safe; braces in a name are no places to fill."""
    assert "{0} <b>" in repaired_by(diagnosed("{0} <b>", {"mls": BAD}), diagnosed("after", {"mls": GOOD})).sentence


def test_where_the_best_scorer_is_none_that_the_refit_can_change_that_is_said():
    best = {name: scores + (3 if name == "id" else 0) for name, scores in GOOD.items()}
    repair = repaired_by(diagnosed("net", {"mls": BAD, "knn": best}), diagnosed("after", {"mls": GOOD, "knn": best}))
    assert "the best scorer is and stays knn (100.00 %), which the refit does not change" in repair.notes
