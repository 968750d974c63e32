"""The verdict's rule, case by case, on scores whose order is known."""

import numpy as np
import pytest

from oodkit.evaluate import Scored, results
from oodkit.metrics import Estimate
from oodkit.scorers import make_scorer
from oodkit.verdict import Verdict, give_verdict

RNG = np.random.default_rng(0)
GOOD = Estimate(0.9, 0.88, 0.92)
SMOOTHED = ("label smoothing 0.1",)


def scores(name: str, distance: float, seed: int = 0) -> Scored:
    """200 ID and 200 OOD scores, normal, whose means lie ``distance`` apart."""
    rng = np.random.default_rng(seed)
    return Scored(make_scorer(name), rng.normal(distance, 1, 200), {"far": rng.normal(0, 1, 200)}, 200, {"far": 200})


def unscored(name: str) -> Scored:
    return Scored(make_scorer(name), np.empty(0), {}, 200, {"far": 200}, reason="needs training images")


def judge(mls: Scored, knn: Scored, accuracy: Estimate = GOOD, **facts) -> Verdict:
    groups = {"far": "far"}
    scored = [mls, knn]
    return give_verdict("net", accuracy, 10, scored, groups, rows=results(scored, groups), **facts)


def test_knn_beyond_the_interval_means_impaired_logits():
    verdict = judge(scores("mls", 0.5), scores("knn", 3))
    assert verdict.code == "impaired-logits"
    assert "paired DeLong p" in " ".join(verdict.evidence)


def test_with_a_plain_recipe_the_features_are_merely_ahead():
    verdict = judge(scores("mls", 0.5), scores("knn", 3), softeners=())
    assert verdict.code == "features-ahead"
    assert not any("AugDelete" in advice.text for advice in verdict.advice)


def test_a_difference_within_the_interval_is_none():
    assert judge(scores("mls", 2.0), scores("knn", 2.2, seed=1)).code == "sound-logits"


def test_a_difference_too_small_to_act_on_is_none_even_beyond_the_interval():
    """The same noise moved by 0.02: a sure difference, of 0.2 points."""
    verdict = judge(scores("mls", 2.00), scores("knn", 2.02))
    assert verdict.code == "sound-logits"


def test_a_softening_recipe_with_the_papers_shift_is_enough():
    verdict = judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, baseline="plain", shift=0.2, delta_p=0.0)
    assert verdict.code == "impaired-logits"
    assert not any(advice.model for advice in verdict.advice)


def test_the_plain_checkpoint_is_advised_where_its_logits_separate_better():
    verdict = judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, baseline="plain", shift=0.2, delta_p=0.05)
    assert any(advice.model == "plain" for advice in verdict.advice)


def test_a_softening_recipe_whose_shift_has_the_other_sign_is_not():
    verdict = judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, baseline="plain", shift=-0.2, delta_p=0.0)
    assert verdict.code == "sound-logits"


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
    verdict = give_verdict("net", Estimate(0.8, 0.7, 0.87), 2, scored, groups, rows=results(scored, groups))
    assert verdict.code != "input-suspect"


def test_the_best_scorer_is_advised_with_its_flag():
    assert judge(scores("mls", 0.5), scores("knn", 3)).advice[0].flags == "--scorer knn"


def test_where_nothing_separates_the_advice_is_to_retrain():
    verdict = judge(scores("mls", 0.1), scores("knn", 0.1, seed=1))
    assert any("retrain" in advice.text for advice in verdict.advice)


def test_an_undefined_shift_is_said_and_decides_nothing():
    verdict = judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, baseline="plain", shift=None, delta_p=0.1)
    assert verdict.code == "sound-logits"
    assert "undefined" in " ".join(verdict.evidence)
