"""Rows: their order, their figures, and what becomes of scorers that can't serve."""

import gc
import json
import weakref
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from oodkit.delong import mean_auroc
from oodkit.errors import UsageError
from oodkit.evaluation import best, best_first, evaluate, mean_weights, most_general_mean, results
from oodkit.head import Head
from oodkit.metrics import aupr_in, auroc, fpr95_id, fpr95_ood
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, Scorer, make_scorer, one_pass_scorers, parse_scorer
from oodkit.scorers.knn import Knn
from oodkit.scorers.nnguide import NNGuide
from oodkit.scorers.relation import Relation
from oodkit.scoring import Scored, learnt_from, score_all

GROUPS = {"a": "near", "b": "near"}


def outputs_of(rows, seed, shift=0.0, labelled=True):
    generator = torch.Generator().manual_seed(seed)
    head = Head(torch.eye(3, 8), torch.zeros(3))
    features = torch.randn(rows, 8, generator=generator).abs()
    labels = torch.arange(rows) % 3
    features[torch.arange(rows), labels] += shift
    return Outputs(features, labels if labelled else None, head=head)


@pytest.fixture
def sets():
    return {
        "id_test": outputs_of(60, 0, 2.0),
        "ood": {"a": outputs_of(30, 1, 1.0, False), "c": outputs_of(50, 2, 0.5, False), "b": outputs_of(40, 3, 0.0, False)},
        "fit": outputs_of(200, 4, 2.0),
    }


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


def narrower(outputs, columns=8, classes=2):
    """As of another network: fewer features, or fewer classes."""
    return Outputs(outputs.features[:, :columns], logits=outputs.logits[:, :classes])


@pytest.mark.parametrize(("columns", "classes", "message"), [(5, 3, "5 features, the ID test has 8"), (8, 2, "2 classes, the ID")])
def test_an_ood_set_of_another_network_is_refused_up_front(sets, columns, classes, message):
    sets["ood"]["b"] = narrower(sets["ood"]["b"], columns, classes)
    with pytest.raises(UsageError, match=f"the OOD set 'b' comes from another network: {message}"):
        evaluate(["mls"], **sets)


def test_images_to_learn_from_of_another_network_are_a_reason(sets):
    fit = Outputs(sets["fit"].features[:, :5], sets["fit"].labels, head=Head(torch.eye(3, 5), torch.zeros(3)))
    fitted = make_scorer("fsebo").fit(fit)
    rows = {row.scorer: row for row in evaluate(["mls", "knn", fitted], **{**sets, "fit": fit})}
    assert rows["mls"].reason is None
    assert "knn was fitted on features of 5 entries and 3 classes, got 8 and 3" in rows["knn"].reason
    assert "fsebo was fitted on features of 5 entries" in rows["fsebo"].reason


@pytest.mark.parametrize("name", ["mean", "near mean", "id", "ID", "fit"])
def test_a_set_can_t_have_a_name_that_the_tables_use(sets, name):
    with pytest.raises(UsageError, match=f"can't be named '{name}', which the tables use already"):
        evaluate(["mls"], sets["id_test"], {name: sets["ood"]["a"], "b": sets["ood"]["b"]})


def test_what_is_no_outputs_is_refused_in_one_line(sets):
    features, ood = np.zeros((3, 8)), sets["ood"]
    with pytest.raises(UsageError, match="the in-distribution test set must be Outputs, got ndarray; make it with Outputs"):
        evaluate(["mls"], features, ood)
    with pytest.raises(UsageError, match="the a set must be Outputs, got ndarray"):
        evaluate(["mls"], sets["id_test"], {"a": features})
    with pytest.raises(UsageError, match="the OOD sets must be Mapping, got Outputs"):
        evaluate(["mls"], sets["id_test"], ood["a"])
    with pytest.raises(UsageError, match="fit must be Outputs, got ndarray"):
        evaluate(["mls"], sets["id_test"], ood, fit=features)


def test_a_scorer_asked_for_twice_is_scored_once(sets):
    """By its settings, however they are spelt; those of other settings, and those fitted on other images, stay."""
    asked = ["knn", "knn:k=50", make_scorer("knn"), "knn:k=5", "mls", "mls"]
    assert [one.spec for one in score_all(asked, **sets)] == ["knn", "knn:k=5", "mls"]
    one, other = (make_scorer("mds").fit(images) for images in (sets["fit"], outputs_of(90, 9)))
    assert [own.fitted_on for own in score_all([one, other, one], **sets)] == [200, 90]


def test_weights_of_the_mean_of_near_and_far_means():
    assert mean_weights(["a", "c", "b"], GROUPS) == [0.25, 0.5, 0.25]
    assert mean_weights(["a", "b"], GROUPS) == [0.5, 0.5]
    assert mean_weights(["x"]) == [1.0]


def test_a_scorer_without_images_to_learn_from_is_a_row_with_its_reason(sets):
    rows = evaluate(["knn", "react", "mls"], sets["id_test"], sets["ood"])
    reasons = {row.scorer: row.reason for row in rows}
    assert reasons == {
        "knn": "knn learns from ID train images and none were given",
        "react": "react learns from ID val images and none were given",
        "mls": None,
    }
    assert all(row.auroc is row.fpr95_ood is row.fpr95_id is row.aupr_in is row.aupr_out is None for row in rows if row.reason)
    assert {(row.n_id, row.n_ood) for row in rows if row.ood_set == "c"} == {(60, 50)}


def test_without_validation_images_a_tenth_of_the_training_images_serves_and_a_note_says_so(sets):
    rows = {row.scorer: row for row in evaluate(["react", "knn"], **sets)}
    assert rows["react"].notes == ("no validation images given: learnt from a stratified 10 % of the training images",)
    assert (rows["react"].n_fit, rows["react"].fits_on) == (20, "val")
    assert (rows["knn"].n_fit, rows["knn"].fits_on, rows["knn"].notes) == (200, "train", ())
    given = evaluate(["react"], **sets, val=outputs_of(33, 9, 2.0))[0]
    assert (given.n_fit, given.notes) == (33, ())


def test_the_held_out_tenth_is_drawn_by_the_seed(sets):
    first, again, other = (score_all(["react"], **sets, seed=seed)[0].id_scores for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("spec", ["mls", "knn:k=3", "react"])
@pytest.mark.parametrize("val", [None, outputs_of(40, 9, 2.0)])
def test_a_scorer_fitted_on_what_it_learns_from_scores_the_same(sets, spec, val):
    """Nothing, the training images, the validation images or what stands in for them: so a detector is the scorer of a result."""
    (told,) = score_all([spec], **sets, val=val, seed=5)
    assert told.reason is None
    scorer = parse_scorer(spec, "openood")
    images = learnt_from(scorer.fits_on, sets["fit"], val, 5)
    assert (images is None) == (spec == "mls")
    if images is not None:
        scorer.fit(images)
    np.testing.assert_array_equal(scorer.score(sets["id_test"]).numpy(), told.id_scores)


def test_what_reads_features_alone_is_taken_over_from_another_head(sets, monkeypatch):
    """Some sums on a GPU differ in their last bits from time to time: then the same features would seem to have changed."""
    specs = ["knn:k=3", "mls", "mds", "vim"]
    before = {one.spec: one for one in score_all(specs, **sets)}
    other = Head(torch.eye(3, 8).flip(0), torch.ones(3))
    again = {name: own.with_head(other) for name, own in sets.items() if name != "ood"}
    again["ood"] = {name: own.with_head(other) for name, own in sets["ood"].items()}
    monkeypatch.setattr(Knn, "_fit", None)
    after = {one.spec: one for one in score_all(specs, **again, same_features=list(before.values()))}
    assert list(after) == specs
    assert [spec for spec in specs if after[spec] is before[spec]] == ["knn:k=3", "mds"]
    assert all(not np.array_equal(after[spec].id_scores, before[spec].id_scores) for spec in ("mls", "vim"))
    own = make_scorer("mds").fit(sets["fit"].subset(torch.arange(90)))
    (found,) = score_all([own], **again, same_features=[before["mds"]])
    assert found.fitted_on == 90, "one that has learnt already is the caller's own"


def test_a_scorer_that_does_not_apply_stops_nothing(sets):
    unlabelled = sets["fit"].with_labels(torch.full((200,), -1))
    rows = evaluate(["mds", "knn"], sets["id_test"], sets["ood"], fit=unlabelled)
    reasons = {row.scorer: row.reason for row in rows}
    assert "200 of 200 have no label" in reasons["mds"]
    assert reasons["knn"] is None


def test_scores_that_are_not_finite_become_a_reason_that_names_the_set(sets):
    features = sets["ood"]["c"].features.clone()
    features[4, 7] = torch.nan  # no logit reads feature 7 but by 0 · NaN
    sets["ood"]["c"] = Outputs(features, logits=sets["ood"]["c"].logits)
    scored = {one.name: one for one in score_all(["knn", "mls"], **sets)}
    assert scored["knn"].reason.startswith("knn gives NaN or infinite scores")
    assert scored["knn"].reason.endswith("(in c)")
    assert (len(scored["knn"].id_scores), scored["knn"].ood_scores) == (0, {})
    assert scored["mls"].reason is None


def test_an_assumption_that_does_not_hold_is_noted(sets):
    signed = Outputs(sets["id_test"].features - 1, head=sets["id_test"].head)
    rows = evaluate(["ash-b", "mls"], signed, sets["ood"])
    assert "never negative" in rows[0].notes[0]
    assert rows[-1].notes == ()


def test_every_scorer_in_one_go(sets):
    """Those that need a probe say so, once and without the name of a set."""
    rows = evaluate(list(SCORERS), **sets, groups=GROUPS)
    assert {row.scorer for row in rows} == set(SCORERS)
    assert {row.scorer for row in rows if row.reason is None} == set(one_pass_scorers())
    assert all(row.reason.endswith("])") for row in rows if row.reason is not None), "extract(…, probes=[…])"
    assert len(json.loads(json.dumps([asdict(row) for row in rows]))) == 6 * len(SCORERS)


def test_specs_presets_and_scorers_with_their_settings_as_they_took_effect(sets):
    own = make_scorer("knn", k=3)
    rows = evaluate(["knn:k=500", own, "nnguide"], **sets, preset="paper")
    assert [row.settings["k"] for row in rows if row.ood_set == "a"] == [200, 3, 10]
    assert own.state is None, "a scorer of the caller's is left as it is"


def test_a_scorer_already_fitted_is_used_as_it_is(sets):
    own = make_scorer("knn", k=3).fit(outputs_of(20, 8, 2.0))
    row = evaluate([own], **sets)[0]
    assert row.n_fit == 20
    assert evaluate([own], sets["id_test"], sets["ood"])[0] == row


def test_what_the_scorers_learnt_is_let_go(sets, monkeypatch):
    """The banks of several models and their baselines would not fit in memory together."""
    banks = []
    learn = Knn._fit
    monkeypatch.setattr(
        Knn, "_fit", lambda *given: banks.append((state := learn(*given))["bank"]) or {**state, "k": torch.tensor(5)}
    )
    gone = []
    scored = score_all(["knn", "mls"], **sets)
    weakref.finalize(banks.pop(), gone.append, True)
    assert gone == [True]
    assert (scored[0].name, scored[0].spec, scored[0].settings["k"]) == ("knn", "knn", 5)
    assert (scored[0].fits_on, scored[0].fitted_on) == ("train", 200)


def test_one_bank_is_there_at_a_time_and_the_results_keep_their_order(sets, monkeypatch):
    banks, left = [], []

    def watched(learn):
        def learning(*given):
            gc.collect()
            left.append(sum(bank() is not None for bank in banks))
            state = learn(*given)
            banks.extend(weakref.ref(tensor) for tensor in state.values() if tensor.ndim == 2)
            return state

        return learning

    for kind in (Knn, NNGuide, Relation):
        monkeypatch.setattr(kind, "_fit", watched(kind._fit))
    names = ["relation", "mls", "knn", "vim", "nnguide", "msp", "knn:k=3"]
    scored = score_all(names, **sets)
    assert left == [0, 0, 0, 0]
    assert [one.spec for one in scored] == names
    assert all(len(one.id_scores) == 60 and list(one.ood_scores) == ["a", "c", "b"] for one in scored)


NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 8 GiB")
NO_CONVERGENCE = torch.linalg.LinAlgError("linalg.eigh: failed to converge")


@pytest.mark.parametrize("name", ["vim", "knn"])
@pytest.mark.parametrize("step", ["_fit", "_score"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NO_MEMORY, "ran out of memory on cpu: CUDA out of memory. Tried to allocate 8 GiB"),
        (MemoryError("std::bad_alloc"), "ran out of memory on cpu: std::bad_alloc"),
        (NO_CONVERGENCE, "met a decomposition that did not converge: linalg.eigh: failed to converge"),
    ],
    ids=["accelerator", "machine", "decomposition"],
)
def test_what_fails_in_one_scorer_leaves_the_others_their_scores(name, step, error, reason, sets, monkeypatch):
    monkeypatch.setattr(SCORERS[name], step, lambda *_: (_ for _ in ()).throw(error))
    scored = {one.name: one for one in score_all(["mls", name, "nnguide"], **sets)}
    where = " (in the in-distribution test set)" if step == "_score" else ""
    assert {one.name: one.reason for one in scored.values()} == {"mls": None, name: f"{name} {reason}{where}", "nnguide": None}
    assert [len(one.ood_scores) for one in scored.values()] == [3, 0, 3]


def test_a_bank_that_leaves_no_room_to_read_the_set_leaves_the_others_their_scores(sets, monkeypatch):
    """The first pass makes the logits of four sets; in knn's own there is no room left for them."""
    calls, original = [], Outputs.with_stored_logits

    def short(outputs):
        calls.append(1)
        if len(calls) > 4:
            raise NO_MEMORY
        return original(outputs)

    monkeypatch.setattr(Outputs, "with_stored_logits", short)
    first, second = score_all(["knn", "mls"], **sets)
    assert first.reason.startswith("knn ran out of memory on cpu: CUDA out of memory")
    assert (second.reason, len(second.ood_scores)) == (None, 3)


def test_a_mistake_in_the_code_is_no_reason(sets, monkeypatch):
    monkeypatch.setattr(SCORERS["vim"], "_score", lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        score_all(["mls", "vim"], **sets)


def test_a_fitted_scorer_of_the_callers_keeps_its_tensors_where_they_are(sets, monkeypatch):
    """Scoring stores what was learnt anew on the outputs' device; here as another tensor, which shows it on any machine."""
    own = make_scorer("knn", k=3).fit(sets["fit"])
    before = dict(own.state)

    def moved(scorer, name, like):
        scorer.state[name] = scorer.state[name].clone()
        return scorer.state[name]

    monkeypatch.setattr(Scorer, "learnt", moved)
    score_all([own], **sets)
    assert own.state.keys() == before.keys()
    assert all(own.state[name] is tensor for name, tensor in before.items())


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


def test_scored_holds_the_scores_in_the_order_of_the_images(sets):
    one = score_all(["mls"], **sets)[0]
    np.testing.assert_array_equal(one.id_scores, sets["id_test"].logits.amax(1).double())
    np.testing.assert_array_equal(one.ood_scores["c"], sets["ood"]["c"].logits.amax(1).double())
    assert [row.ood_set for row in results([one])] == ["a", "c", "b", "far mean"]


def test_sets_are_gone_through_once_and_their_logits_made_once(sets, monkeypatch):
    calls = []
    original = Head.__call__
    monkeypatch.setattr(Head, "__call__", lambda head, features: calls.append(len(features)) or original(head, features))
    score_all(["msp", "mls", "ebo"], sets["id_test"], sets["ood"])
    assert calls == [60, 30, 50, 40]


def test_progress_is_told_step_by_step(sets):
    lines = []
    evaluate(["knn", "mls"], **sets, progress=lines.append)
    assert lines == [
        "scoring the in-distribution test set: 60 images",
        "scoring a: 30 images",
        "scoring c: 50 images",
        "scoring b: 40 images",
        "fitting knn: 200 images",
        "scoring the in-distribution test set by knn: 60 images",
        "scoring a by knn: 30 images",
        "scoring c by knn: 50 images",
        "scoring b by knn: 40 images",
    ]


def test_unusable_calls_are_usage_errors(sets):
    with pytest.raises(UsageError, match="the a set has no images"):
        evaluate(["msp"], sets["id_test"], {"a": outputs_of(0, 0)})
    with pytest.raises(UsageError, match="the in-distribution test set has no images"):
        evaluate(["msp"], outputs_of(0, 0), sets["ood"])
    with pytest.raises(UsageError, match="got no OOD set"):
        evaluate(["msp"], sets["id_test"], {})
    with pytest.raises(UsageError, match="near or far, got a=middling"):
        evaluate(["msp"], **sets, groups={"a": "middling"})
    with pytest.raises(UsageError, match="unknown scorer: 'mps'; did you mean msp"):
        evaluate(["mps"], **sets)
    with pytest.raises(UsageError, match="groups name 'aa', which is no OOD set; there are"):
        evaluate(["msp"], **sets, groups={"aa": "near"})


def test_a_setting_that_this_network_rules_out_is_a_row_with_its_reason(sets):
    rows = evaluate(["vim:dim=8", "msp"], **sets)
    assert "below the 8 features of this network" in next(row.reason for row in rows if row.scorer == "vim")
    assert next(row.auroc for row in rows if row.scorer == "msp")


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
