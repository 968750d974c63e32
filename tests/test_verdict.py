"""The verdict's rule, case by case, on scores whose order is known."""

from dataclasses import replace

import numpy as np
import pytest

from oodkit.delong import Comparison
from oodkit.evaluation import results
from oodkit.metrics import Estimate
from oodkit.scoring import Scored
from oodkit.verdict import Against, Lead, Verdict, give_verdict, knn_lead

RNG = np.random.default_rng(0)
GOOD = Estimate(0.9, 0.88, 0.92)
SMOOTHED = ("label smoothing 0.1",)


def scores(name: str, distance: float, seed: int = 0) -> Scored:
    """200 ID and 200 OOD scores, normal, whose means lie ``distance`` apart."""
    rng = np.random.default_rng(seed)
    inside, outside = rng.normal(distance, 1, 200), {"far": rng.normal(0, 1, 200)}
    return Scored(name, name, {"k": 50, "fraction": 1.0}, None, 1000, inside, outside, 200, {"far": 200})


def unscored(name: str) -> Scored:
    return Scored(name, name, {}, None, 0, np.empty(0), {}, 200, {"far": 200}, reason="needs training images")


def judge(mls: Scored, knn: Scored, accuracy: Estimate = GOOD, **facts) -> Verdict:
    groups, scored = {"far": "far"}, [mls, knn]
    return give_verdict("net", accuracy, 10, knn_lead(scored, groups, 10), results(scored, groups), **facts)


def comparison(difference: float, reach: float = 0.005) -> Comparison:
    return Comparison(difference, difference - reach, difference + reach, 0.5)


def against(shift: float | None = 0.2, loss: float = 0.05, lead: float = 0.0, reach: float = 0.005) -> Against:
    ratio = None if shift is None else Estimate(shift, shift - 0.01, shift + 0.01)
    return Against("plain", ratio, comparison(loss, reach), Lead("knn", comparison(lead)))


def test_knn_beyond_the_interval_means_impaired_logits():
    verdict = judge(scores("mls", 0.5), scores("knn", 3))
    assert verdict.code == "impaired-logits"
    assert "paired DeLong p" in " ".join(verdict.evidence)


def test_with_a_plain_recipe_the_features_are_merely_ahead():
    verdict = judge(scores("mls", 0.5), scores("knn", 3), softeners=())
    assert verdict.code == "features-ahead"
    assert not any("AugDelete" in advice.text for advice in verdict.advice)


def test_an_interval_that_allows_a_lead_tells_nothing():
    """Independent noise: KNN may be ahead by more than a point, or not."""
    verdict = judge(scores("mls", 2.0), scores("knn", 2.2, seed=1))
    assert verdict.code == "undetermined"
    assert any("more images" in advice.text for advice in verdict.advice)


def test_an_interval_below_the_margin_means_sound_logits():
    assert judge(scores("mls", 2.2, seed=1), scores("knn", 1.0)).code == "sound-logits"


def test_a_difference_too_small_to_act_on_is_none_even_beyond_the_interval():
    """The same noise moved by 0.02: a sure difference, of 0.2 points."""
    verdict = judge(scores("mls", 2.00), scores("knn", 2.02))
    assert verdict.code == "sound-logits"


def test_where_knn_leads_as_far_at_the_baseline_the_labels_are_not_to_blame():
    lead = judge(scores("mls", 0.5), scores("knn", 3), softeners=SMOOTHED, against=against(lead=0.4, loss=0.0))
    assert lead.code == "features-ahead"
    assert "; at plain: +40.00" in " ".join(lead.evidence)


def test_where_the_lead_has_grown_since_the_baseline_they_are():
    assert judge(scores("mls", 0.5), scores("knn", 3), softeners=SMOOTHED, against=against(lead=0.1)).code == "impaired-logits"


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
    assert any(advice.flags == "--fit SET" for advice in verdict.advice)


@pytest.mark.parametrize("accuracy", [Estimate(0.1, 0.05, 0.15), Estimate(0.02, 0.01, 0.04)])
def test_accuracy_at_chance_overrules_everything(accuracy):
    verdict = judge(scores("mls", 0.5), scores("knn", 3), accuracy)
    assert verdict.code == "input-suspect"
    assert "class" in verdict.advice[0].text


def test_of_two_classes_an_accuracy_well_above_a_half_is_sound():
    groups, scored = {"far": "far"}, [scores("mls", 2), scores("knn", 2)]
    verdict = give_verdict("net", Estimate(0.8, 0.7, 0.87), 2, knn_lead(scored, groups, 2), results(scored, groups))
    assert verdict.code != "input-suspect"


def test_the_best_scorer_is_advised_with_its_flag():
    assert judge(scores("mls", 0.5), scores("knn", 3)).advice[0].flags == "--scorer knn"


def test_where_nothing_separates_the_advice_is_to_retrain():
    verdict = judge(scores("mls", 0.1), scores("knn", 0.1, seed=1))
    assert any("retrain" in advice.text for advice in verdict.advice)


def test_an_undefined_shift_is_said_and_decides_nothing():
    verdict = judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, against=against(shift=None))
    assert verdict.code == "sound-logits"
    assert "its shift is not defined here" in " ".join(verdict.evidence)
