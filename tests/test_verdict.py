"""The verdict's rule, case by case, on scores whose order is known."""

import re
from dataclasses import replace

import numpy as np
import pytest

from oodkit.advice import Advice
from oodkit.delong import Comparison
from oodkit.evaluation import results
from oodkit.lead import Against, Lead, knn_lead
from oodkit.metrics import Estimate
from oodkit.scoring import Scored
from oodkit.verdict import Verdict, give_verdict

RNG = np.random.default_rng(0)
GOOD = Estimate(0.9, 0.88, 0.92)
SMOOTHED = ("label smoothing 0.1",)


def scores(name: str, distance: float, seed: int = 0) -> Scored:
    """200 ID and 200 OOD scores, normal, whose means lie ``distance`` apart."""
    rng = np.random.default_rng(seed)
    inside, outside = rng.normal(distance, 1, 200), {"far": rng.normal(0, 1, 200)}
    return Scored(name, name, {"k": 50, "fraction": 1.0}, None, 1000, inside, outside, 200, {"far": 200})


def unscored(name: str) -> Scored:
    return Scored(name, name, {"k": 50}, None, 0, np.empty(0), {}, 200, {"far": 200}, reason="needs training images")


def judge(mls: Scored, knn: Scored, accuracy: Estimate = GOOD, **facts) -> Verdict:
    groups, scored = {"far": "far"}, [mls, knn]
    return give_verdict("net", accuracy, 10, knn_lead(scored, groups, 10), results(scored, groups), **facts)


def comparison(difference: float, reach: float = 0.005) -> Comparison:
    return Comparison(difference, difference - reach, difference + reach, 0.5)


def against(
    shift: float | None = 0.2, loss: float = 0.05, lead: float = 0.0, reach: float = 0.005, growth: Estimate | None = None
) -> Against:
    ratio = None if shift is None else Estimate(shift, shift - 0.01, shift + 0.01)
    return Against("plain", ratio, comparison(loss, reach), GOOD, Lead("knn", comparison(lead)), growth)


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


def told(verdict: Verdict, words: str) -> Advice:
    """The one piece of advice that holds these words."""
    (found,) = [advice for advice in verdict.advice if words in advice.text]
    return found


def undetermined(lead: Comparison) -> Verdict:
    rows = results([scores("mls", 2)], {"far": "far"})
    verdict = give_verdict("net", GOOD, 10, Lead("knn", lead), rows)
    assert verdict.code == "undetermined"
    return verdict


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


def test_where_knn_failed_for_a_reason_of_its_own_that_is_to_be_mended():
    rows = results([scores("mls", 2)], {"far": "far"})
    verdict = give_verdict("net", GOOD, 10, Lead(problem="no feature score from knn: NaN"), rows)
    assert told(verdict, "Mend what keeps KNN from scoring").text.endswith(": no feature score from knn: NaN.")


def test_an_undefined_shift_is_said_and_decides_nothing():
    verdict = judge(scores("mls", 2), scores("knn", 2), softeners=SMOOTHED, against=against(shift=None))
    assert verdict.code == "sound-logits"
    assert "its shift is not defined here" in " ".join(verdict.evidence)


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
