"""What is said of a repair: a sentence that is true in every case, its headline and its notes."""

from dataclasses import replace

import numpy as np
import pytest

from oodkit.accuracies import compare_accuracies
from oodkit.changes import Share
from oodkit.delong import Comparison
from oodkit.metrics import Estimate
from oodkit.repair import compare_repair
from oodkit.repair_words import _not_ruled_out, fell

from .repairs import (
    BAD,
    GOOD,
    HOW,
    REFIT,
    SIZES,
    SMOOTHED,
    diagnosed,
    mls_of,
    normal_scores,
    really_repaired,
    repaired_by,
    shares_up_to,
    softened,
)


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


def test_with_a_single_ood_set_its_auroc_is_no_mean():
    _, _, repair = really_repaired({"one": softened(300, 2, 0.5)})
    assert [one.ood_set for one in repair.changes if one.scorer == "mls"] == ["one", "far mean"]
    assert "the maximal logit's AUROC rises from" in repair.sentence


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


def test_a_models_name_is_told_as_it_is():
    """Whoever shows the sentence makes it safe; braces in a name are no places to fill."""
    assert "{0} <b>" in repaired_by(diagnosed("{0} <b>", {"mls": BAD}), diagnosed("after", {"mls": GOOD})).sentence


def test_where_the_best_scorer_is_none_that_the_refit_can_change_that_is_said():
    best = {name: scores + (3 if name == "id" else 0) for name, scores in GOOD.items()}
    repair = repaired_by(diagnosed("net", {"mls": BAD, "knn": best}), diagnosed("after", {"mls": GOOD, "knn": best}))
    assert "the best scorer is and stays knn (100.00 %), which the refit does not change" in repair.notes
