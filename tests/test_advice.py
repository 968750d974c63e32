"""The advice that goes with a verdict: what would tell, what is the best scorer here, and which command comes next."""

import re
from dataclasses import replace

import numpy as np
import pytest

from oodkit.evaluation import results
from oodkit.lead import Lead, knn_lead
from oodkit.metrics import Estimate
from oodkit.verdict import give_verdict

from .judged import GOOD, SMOOTHED, against, comparison, judge, scores, told, undetermined, unscored


def test_how_many_more_images_would_tell():
    """An interval shrinks with the root of their number. Lead 2 ± 4 points: above 0 with (4/2)² = 4 times as many.

    Lead −1 ± 5 points: below 1 with (5/2)² = 6.25 times as many.
    """
    ahead = told(undetermined(comparison(0.02, 0.04)), "as many images").text
    assert "about 4.0 times as many images of every set (now 200 ID images, and 200 of the smallest OOD set;" in ahead
    assert ahead.endswith("would begin above 0.")
    behind = told(undetermined(comparison(-0.01, 0.05)), "as many images").text
    assert "about 6.2 times" in behind
    assert behind.endswith("would end below 1 point.")


def test_where_no_number_of_images_would_tell_that_is_said():
    """Lead 0.9 ± 2 points: (2/0.1)² = 400 times as many."""
    assert "more than 100 times as many" in told(undetermined(comparison(0.009, 0.02)), "as many images").text


def test_the_best_scorer_is_advised_with_its_flag():
    assert judge(scores("mls", 0.5), scores("knn", 3)).advice[0].flags == "--scorer knn"


def test_the_best_scorer_is_advised_with_its_price():
    """KNN's AUROC and FPR@95 as the table has them."""
    mls, knn = scores("mls", 0.5), scores("knn", 3)
    mean = next(row for row in results([knn], {"far": "far"}) if row.ood_set == "far mean")
    text = judge(mls, knn).advice[0].text
    assert "mean AUROC {:.1f} % ({:.1f} to {:.1f} %);".format(*(100 * value for value in mean.auroc)) in text
    assert f"to reject 95 % of the OOD images, it rejects {100 * mean.fpr95_ood.value:.1f} % of the ID images too." in text


def test_of_several_sets_no_threshold_has_the_mean_price_and_the_worst_sets_is_told():
    """ID scores 0 … 99. One set scores 9 throughout: its threshold rejects 10 of them; the other 39: 40. Their mean is 25."""
    sets = {"easy": np.full(50, 9.0), "hard": np.full(50, 39.0)}
    mls = replace(scores("mls", 0), id_scores=np.arange(100.0), ood_scores=sets, n_id=100, n_ood=dict.fromkeys(sets, 50))
    text = give_verdict("net", GOOD, 10, Lead(), results([mls], dict.fromkeys(sets, "far"))).advice[0].text
    assert "it rejects 25.0 % of the ID images too, on average over the 2 sets, each at a threshold of its own" in text
    assert "(worst: hard, 40.0 %)" in text


def test_where_nothing_separates_the_advice_is_to_look_and_to_take_other_features():
    verdict = judge(scores("mls", 0.1), scores("knn", 0.1, seed=1))
    assert told(verdict, "No scorer here reaches 75 %").flags == "--report report.html"
    assert told(verdict, "or retrain the network").model == "MODEL"


def test_of_impaired_logits_the_plain_checkpoint_is_weighed():
    verdict = judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, against=against(loss=0.05))
    text = "its maximal logit's mean AUROC is 5.0 points higher, its ID accuracy is 90.0 % to this one's 90.0 %"
    assert text in told(verdict, "plain checkpoint").text


@pytest.mark.parametrize(("facts", "asked"), [({}, True), ({"softeners": SMOOTHED}, False), ({"against": against()}, False)])
def test_of_an_unknown_recipe_a_baseline_is_asked_for(facts, asked):
    verdict = judge(scores("mls", 0.5), scores("knn", 3), **facts)
    assert verdict.code == "impaired-logits"
    assert ("--baseline MODEL" in [advice.flags for advice in verdict.advice]) == asked


def test_where_knn_failed_for_a_reason_of_its_own_that_is_to_be_mended():
    rows = results([scores("mls", 2)], {"far": "far"})
    verdict = give_verdict("net", GOOD, 10, Lead(problem="no feature score from knn: NaN"), rows)
    assert told(verdict, "Mend what keeps KNN from scoring").text.endswith(": no feature score from knn: NaN.")


def test_advice_names_only_commands_and_options_that_exist():
    """Of every verdict, with everything that can be missing; what is to be filled in stands in capitals."""
    from typer.main import get_command

    from oodkit.cli import app

    commands = get_command(app).commands
    options = {command: {name for one in commands[command].params for name in one.opts} for command in ("diagnose", "augdelete")}
    weak, far = scores("mls", 0.1), scores("knn", 3)
    verdicts = [judge(weak, far, Estimate(0.1, 0.05, 0.15)), judge(weak, far), judge(weak, scores("knn", 0.1, seed=1))]
    verdicts += [
        judge(weak, far, softeners=SMOOTHED, against=against()),
        judge(weak, unscored("knn")),
        judge(weak, unscored("knn"), softeners=SMOOTHED, against=against()),
        undetermined(comparison(0.02, 0.04)),
    ]
    named = {"diagnose": set(), "augdelete": set()}
    for advice in [one for verdict in verdicts for one in verdict.advice]:
        named[advice.command] |= set(re.findall(r"--[a-z-]+", f"{advice.text} {advice.flags}"))
        assert set(re.findall(r"oodkit ([a-z]+)", advice.text)) <= set(commands)
    assert {"--train", "--scorer", "--mean", "--report", "--baseline", "--limit"} <= named["diagnose"] <= options["diagnose"]
    assert {"--frac", "--train"} <= named["augdelete"] <= options["augdelete"]


def test_impaired_logits_are_answered_with_the_command_that_repairs_them():
    """Of 5,000 training images, 500 of each of 10 classes, a fifth will do; of fewer that is too little."""
    mls, knn = scores("mls", 0.5), scores("knn", 3)
    repair = told(judge(mls, replace(knn, fitted_on=5000), softeners=SMOOTHED), "AugDelete")
    assert (repair.command, repair.flags, repair.model) == ("augdelete", "--frac 0.2", "")
    assert repair.text.endswith("of many a fifth will do (Figure 6).")
    repair = told(judge(mls, replace(knn, fitted_on=4000), softeners=SMOOTHED), "AugDelete")
    assert (repair.command, repair.flags) == ("augdelete", "--frac 1")
    assert repair.text.endswith("all of these, since they are few.")


def test_where_no_training_images_were_given_the_command_names_them_too():
    """So too where there are too few to look for neighbours in; the last option of a name counts."""
    (groups, mls), facts = ({"far": "far"}, scores("mls", 0.5)), {"softeners": SMOOTHED, "against": against()}
    for knn in (unscored("knn"), replace(scores("knn", 3), fitted_on=12)):
        lead = knn_lead([mls, knn], groups, 10, fit_given=knn.reason is None)
        verdict = give_verdict("net", GOOD, 10, lead, results([mls, knn], groups), **facts)
        assert told(verdict, "AugDelete").flags == "--train SET --frac 0.2"
