"""The verdict's rule, case by case, on scores whose order is known."""

import re
from dataclasses import replace

import numpy as np
import pytest

from oodkit.delong import Comparison
from oodkit.evaluation import results
from oodkit.lead import knn_lead
from oodkit.metrics import Estimate
from oodkit.verdict import give_verdict

from .judged import GOOD, SMOOTHED, against, judge, scores, told, unscored

RNG = np.random.default_rng(0)


def test_knn_beyond_the_interval_means_impaired_logits():
    verdict = judge(scores("mls", 0.5), scores("knn", 3))
    assert verdict.code == "impaired-logits"
    assert "paired DeLong p" in " ".join(verdict.evidence)


def test_with_a_plain_recipe_the_features_are_merely_ahead():
    verdict = judge(scores("mls", 0.5), scores("knn", 3), softeners=())
    assert verdict.code == "features-ahead"
    assert "the recipe left plain labels as they are, so that is not why KNN is ahead" in verdict.evidence
    assert not any("AugDelete" in advice.text for advice in verdict.advice)


def test_an_interval_that_allows_a_lead_tells_nothing():
    """Independent noise: KNN may be ahead by more than a point, or not."""
    verdict = judge(scores("mls", 2.0), scores("knn", 2.2, seed=1))
    assert verdict.code == "undetermined"
    assert any("times as many images" in advice.text for advice in verdict.advice)


def test_where_both_separate_few_images_without_a_mistake_nothing_is_sound_yet():
    """Of 200 images an AUROC of 1 may be 1/(1 + 1.96²/200) = 0.9812: the lead may be 1.88 points. Of 2000 0.19."""
    perfect = [scores("mls", 30), scores("knn", 30)]
    verdict = judge(*perfect)
    assert verdict.code == "undetermined"
    assert "+0.00 points (95 % interval −1.88 to +1.88" in " ".join(verdict.evidence)
    assert "harder to tell" in told(verdict, "apart alike").text
    many = [
        replace(one, id_scores=np.tile(one.id_scores, 10), ood_scores={"far": np.tile(one.ood_scores["far"], 10)})
        for one in perfect
    ]
    assert judge(*many).code == "sound-logits"


def test_an_interval_below_the_margin_means_sound_logits():
    assert judge(scores("mls", 2.2, seed=1), scores("knn", 1.0)).code == "sound-logits"


def test_a_difference_too_small_to_act_on_is_none_even_beyond_the_interval():
    """The same noise moved by 0.02: a sure difference, of 0.2 points."""
    verdict = judge(scores("mls", 2.00), scores("knn", 2.02))
    assert verdict.code == "sound-logits"


GROWN, NOT_GROWN, UNTOLD = Estimate(0.03, 0.01, 0.05), Estimate(0.0, -0.008, 0.008), Estimate(0.02, -0.01, 0.05)


@pytest.mark.parametrize(
    ("growth", "code", "reading"),
    [
        (GROWN, "impaired-logits", "+3.00 points since plain (95 % interval +1.00 to +5.00): as softened labels would have it"),
        (
            NOT_GROWN,
            "features-ahead",
            "(95 % interval −0.80 to +0.80): less than 1 point, so softened labels are not why it is ahead",
        ),
        (UNTOLD, "features-ahead", "(95 % interval −1.00 to +5.00): whether softened labels are why it is ahead can't be told"),
        (Estimate(0.006, 0.001, 0.011), "features-ahead", "can't be told"),
    ],
)
def test_by_the_growth_of_its_interval_softened_labels_are_why_or_not_or_nobody_knows(growth, code, reading):
    """A growth of 0.6 points (0.1 to 1.1) is too little to blame them, and may be a point."""
    verdict = judge(scores("mls", 0.5), scores("knn", 3), softeners=SMOOTHED, against=against(lead=0.4, loss=0.0, growth=growth))
    assert verdict.code == code
    evidence = " ".join(verdict.evidence)
    assert "; at plain: +40.00" in evidence
    assert reading in evidence
    assert "softened" not in verdict.sentence


def test_a_growth_that_is_not_known_spares_no_recipe_that_harmed_the_maximal_logit():
    """As it does where KNN is not ahead; features that are ahead as they were have lost as much."""
    mls, knn = scores("mls", 0.5), scores("knn", 3)
    assert judge(mls, knn, softeners=SMOOTHED, against=against(growth=UNTOLD)).code == "impaired-logits"
    assert judge(mls, knn, softeners=SMOOTHED, against=against(growth=NOT_GROWN)).code == "features-ahead"


def test_where_knn_is_not_ahead_its_growth_explains_nothing():
    assert "grown" not in " ".join(judge(scores("mls", 2), scores("knn", 2), against=against(growth=UNTOLD)).evidence)


def test_where_the_baseline_has_no_lead_softened_labels_may_be_why():
    assert judge(scores("mls", 0.5), scores("knn", 3), softeners=SMOOTHED, against=against()).code == "impaired-logits"


def test_a_softening_recipe_with_the_papers_shift_and_a_loss_is_enough():
    verdict = judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, against=against())
    assert verdict.code == "impaired-logits"
    assert any(advice.model == "plain" for advice in verdict.advice)


def test_a_softening_recipe_whose_shift_has_the_other_sign_is_not():
    assert judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, against=against(shift=-0.2)).code == "sound-logits"


def test_a_shift_that_costs_nothing_is_no_damage():
    assert judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, against=against(loss=0.0)).code == "sound-logits"


def test_a_loss_within_its_interval_is_no_damage():
    weak = against(loss=0.05, reach=0.06)
    assert judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, against=weak).code == "sound-logits"


def test_neighbours_beyond_the_class_say_nothing():
    """60 training images of 10 classes: the 50th neighbour is of another class, and KNN is at chance for that reason alone."""
    few = replace(scores("knn", 0.0), fitted_on=60)
    verdict = judge(scores("mls", 2), few)
    assert verdict.code == "undetermined"
    assert "k = 50 lies beyond the 6 training images" in " ".join(verdict.evidence)
    assert "--scorer knn:k=3" in [advice.flags for advice in verdict.advice]


def test_a_bank_of_few_images_does_not_show_the_logits_to_be_sound():
    """KNN is worse than the maximal logit, beyond every doubt, with 60 training images of 10 classes; with 200 that counts."""
    mls, knn = scores("mls", 2.2, seed=1), replace(scores("knn", 1.0), settings={"k": 5, "fraction": 1.0}, fitted_on=60)
    verdict = judge(mls, knn)
    assert verdict.code == "undetermined"
    assert "KNN had 6 training images of each class to look for neighbours in: fewer than 20" in " ".join(verdict.evidence)
    assert "at least 20 training images of each class, 200 for 10 classes (raise --limit" in told(verdict, "training images").text
    assert judge(mls, replace(knn, fitted_on=200)).code == "sound-logits"
    half = replace(knn, fitted_on=300, settings={"k": 5, "fraction": 0.5})
    assert judge(mls, half).code == "undetermined"


def test_a_lead_that_was_found_counts_whatever_the_bank():
    few = replace(scores("knn", 3), settings={"k": 5, "fraction": 1.0}, fitted_on=60)
    verdict = judge(scores("mls", 0.5), few)
    assert verdict.code == "impaired-logits"
    assert "to look for neighbours in" not in " ".join(verdict.evidence)


@pytest.mark.parametrize(
    ("knn", "num_classes", "words"),
    [
        ([], 1000, "50,000 for 1,000 classes at k = 50, or 20,000 with --scorer knn:k=10."),
        ([replace(unscored("knn"), settings={"k": 5})], 10, "as it looks at neighbours, 50 for 10 classes at k = 5."),
        ([replace(unscored("knn"), settings={"k": "paper"})], 100, "20,000 for 100 classes at k = 200, or 2,000 with"),
    ],
)
def test_how_many_training_images_knn_needs_depends_on_the_classes(knn, num_classes, words):
    groups, scored = {"far": "far"}, [scores("mls", 2), *knn]
    verdict = give_verdict("net", GOOD, num_classes, knn_lead(scored, groups, num_classes), results(scored, groups))
    advice = told(verdict, "Give KNN ID training images")
    assert words in advice.text
    assert advice.flags == "--train SET"


def test_of_several_knn_the_first_that_can_tell_is_taken_and_named():
    groups = {"far": "far"}
    far, near = (replace(scores("knn", 3), spec=f"knn:k={k}", settings={"k": k, "fraction": 1.0}) for k in (200, 5))
    assert knn_lead([scores("mls", 1), far, near], groups, 10).spec == "knn:k=5"
    assert knn_lead([scores("mls", 1), near, far], groups, 10).spec == "knn:k=5"


def test_only_tried_features_are_blamed():
    """The maximal logit alone is weak: nobody knows yet what the features can do."""
    verdict = judge(scores("mls", 0.1), unscored("knn"))
    assert not any("retrain" in advice.text for advice in verdict.advice)


def test_without_a_feature_score_nothing_can_be_told():
    verdict = judge(scores("mls", 2), unscored("knn"))
    assert verdict.code == "undetermined"
    assert any(advice.flags == "--train SET" for advice in verdict.advice)


@pytest.mark.parametrize("accuracy", [Estimate(0.1, 0.05, 0.15), Estimate(0.02, 0.01, 0.04)])
def test_accuracy_at_chance_overrules_everything(accuracy):
    verdict = judge(scores("mls", 0.5), scores("knn", 3), accuracy)
    assert verdict.code == "input-suspect"
    assert "class names" in verdict.advice[0].text
    assert told(verdict, "preprocessing").flags == "--input-size SIZE --mean R,G,B --std R,G,B"


def test_of_two_classes_an_accuracy_well_above_a_half_is_sound():
    groups, scored = {"far": "far"}, [scores("mls", 2), scores("knn", 2)]
    verdict = give_verdict("net", Estimate(0.8, 0.7, 0.87), 2, knn_lead(scored, groups, 2), results(scored, groups))
    assert verdict.code != "input-suspect"


def test_of_a_training_that_nothing_is_known_of_no_cause_is_claimed():
    mls, knn = scores("mls", 0.5), scores("knn", 3)
    unknown, known = judge(mls, knn), judge(mls, knn, softeners=SMOOTHED)
    assert (unknown.code, known.code) == ("impaired-logits", "impaired-logits")
    assert unknown.sentence.endswith("impaired, if it was trained with label smoothing, mixup or cutmix.")
    assert told(unknown, "AugDelete").text.startswith(
        "If it was trained with label smoothing, mixup or cutmix, refit the last layer"
    )
    assert known.sentence.startswith("The logits of net are impaired")
    assert told(known, "AugDelete").text.startswith("Refit the last layer")


def test_an_undefined_shift_is_said_and_decides_nothing():
    verdict = judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, against=against(shift=None))
    assert verdict.code == "sound-logits"
    assert "its shift is not defined here" in " ".join(verdict.evidence)


@pytest.mark.parametrize("softeners", [None, (), SMOOTHED])
@pytest.mark.parametrize("versus", [None, against(), against(growth=NOT_GROWN), against(shift=-0.1, loss=-0.05, growth=GROWN)])
@pytest.mark.parametrize(("mls", "knn"), [(0.5, 3), (2.2, 1), (2, 2), (0.1, 0.1)])
def test_of_a_refitted_layer_nothing_is_said_that_holds_for_the_recipe_alone(softeners, versus, mls, knn):
    """Nor is it called impaired, whatever the recipe, or told to be repaired again."""
    facts = {"softeners": softeners, "against": versus}
    verdict = judge(scores("mls", mls, seed=1), scores("knn", knn), refitted=True, **facts)
    said = " ".join([verdict.sentence, *verdict.evidence, *(f"{one.text} {one.flags}" for one in verdict.advice)])
    assert "its last layer was refitted by plain cross-entropy, without label smoothing or mixup" in verdict.evidence
    assert verdict.code in {"features-ahead", "sound-logits", "undetermined"}
    assert not re.search(r"trained with|impaired|AugDelete|--baseline|softened labels", said)
    assert all(one.command == "diagnose" for one in verdict.advice)
    own = {None: "by a recipe that is not known", SMOOTHED: f"with {', '.join(SMOOTHED)}"}.get(softeners)
    can_be = f"only its last layer was refitted: its features were learnt {own}, which can be why KNN is ahead"
    cannot = "the recipe left plain labels as they are, so that is not why KNN is ahead"
    useless = versus is not None and versus.loss.low > 0
    expected = verdict.code == "features-ahead" and not useless
    assert ((can_be if own else cannot) in verdict.evidence) == expected


def test_of_a_refitted_layer_the_evidence_has_what_was_gained_on_the_network_as_it_was():
    """Logits grow as softening goes, of ID and of OOD images, so neither can be said to have fallen."""
    verdict = judge(scores("mls", 2), scores("knn", 2), refitted=True, against=against(shift=-0.2, loss=-0.05))
    evidence = " ".join(verdict.evidence)
    assert "; at plain: +0.00" in evidence
    assert "against plain the maximal logit's mean AUROC changes by +5.00 points" in evidence
    assert "relative to it, the ID images' logit rose against the OOD images', mean shift ratio −0.200" in evidence
    other = judge(scores("mls", 2), scores("knn", 2), refitted=True, against=against(shift=0.2))
    assert "relative to it, the ID images' logit fell against the OOD images'" in " ".join(other.evidence)


@pytest.mark.parametrize(
    ("shift", "refitted", "moved"),
    [
        (Estimate(0.0, -0.019, 0.019), False, "it fell about as much on ID as on OOD images"),
        (Estimate(0.076, -0.056, 0.208), False, "it fell about as much on ID as on OOD images"),
        (Estimate(0.076, 0.001, 0.208), False, "it fell more on ID than on OOD images"),
        (Estimate(-0.05, -0.09, -0.01), False, "it fell less on ID than on OOD images"),
        (Estimate(-0.05, -0.11, 0.01), True, "the ID images' logit moved about as much as the OOD images'"),
    ],
)
def test_no_direction_is_stated_where_the_interval_of_the_shift_ratio_holds_0(shift, refitted, moved):
    versus = replace(against(), shift=shift)
    verdict = judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, refitted=refitted, against=versus)
    (line,) = [one for one in verdict.evidence if "mean shift ratio" in one]
    assert f"; relative to it, {moved}, mean shift ratio " in line


def test_a_refitted_layer_that_nothing_is_told_of_is_not_asked_whether_it_is_impaired():
    verdict = judge(scores("mls", 2.0), scores("knn", 2.2, seed=1), refitted=True)
    assert verdict.code == "undetermined"
    assert verdict.sentence.startswith("Whether the features of net still separate unknown images better")


def test_after_a_refit_the_bank_grows_with_the_share_that_is_taken():
    few = replace(scores("knn", 1.0), settings={"k": 5, "fraction": 1.0}, fitted_on=60)
    verdict = judge(scores("mls", 2.2, seed=1), few, refitted=True)
    assert "(raise --frac, or --limit where it holds them back)" in told(verdict, "Give KNN at least").text
    tiny = replace(scores("knn", 1.0), fitted_on=12)
    assert told(judge(scores("mls", 2), tiny, refitted=True), "Give KNN").flags == "--train SET"


def test_where_the_refit_changed_nothing_no_change_is_told():
    same = replace(against(shift=0.0), loss=Comparison(0.0, 0.0, 0.0, 1.0))
    evidence = " ".join(judge(scores("mls", 2), scores("knn", 2), refitted=True, against=same).evidence)
    assert "the maximal logit separates these images as it does at plain" in evidence
    assert "changes by" not in evidence


@pytest.mark.parametrize(
    "versus",
    [
        replace(against(shift=0.0), loss=Comparison(0.0, 0.0, 0.0, 1.0)),
        against(loss=0.05),
        replace(against(shift=-0.1, loss=-0.05), accuracy=Estimate(0.99, 0.98, 1.0)),
    ],
)
def test_a_refit_that_changed_nothing_or_did_harm_tells_nothing_of_why_knn_is_ahead(versus):
    verdict = judge(scores("mls", 0.5), scores("knn", 3), refitted=True, softeners=SMOOTHED, against=versus)
    assert verdict.code == "features-ahead"
    assert "why KNN is ahead" not in " ".join(verdict.evidence)
