"""Scorers fitted once and every set scored once: on what, in which order, and what is kept of them."""

import gc
import weakref

import numpy as np
import pytest
import torch

from oodkit.evaluation import evaluate, results
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import Scorer, make_scorer, parse_scorer
from oodkit.scorers.knn import Knn
from oodkit.scorers.nnguide import NNGuide
from oodkit.scorers.relation import Relation
from oodkit.scoring import learnt_from, score_all

from .three_classes import one_of_each, outputs_of


@pytest.fixture
def sets():
    return one_of_each()


def test_a_scorer_asked_for_twice_is_scored_once(sets):
    """By its settings, however they are spelt; those of other settings, and those fitted on other images, stay."""
    asked = ["knn", "knn:k=50", make_scorer("knn"), "knn:k=5", "mls", "mls"]
    assert [one.spec for one in score_all(asked, **sets)] == ["knn", "knn:k=5", "mls"]
    one, other = (make_scorer("mds").fit(images) for images in (sets["fit"], outputs_of(90, 9)))
    assert [own.fitted_on for own in score_all([one, other, one], **sets)] == [200, 90]


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


def test_an_assumption_that_does_not_hold_is_noted(sets):
    signed = Outputs(sets["id_test"].features - 1, head=sets["id_test"].head)
    rows = evaluate(["ash-b", "mls"], signed, sets["ood"])
    assert "never negative" in rows[0].notes[0]
    assert rows[-1].notes == ()


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


def test_sets_are_gone_through_once_and_their_logits_made_once(sets, monkeypatch):
    calls = []
    original = Head.__call__
    monkeypatch.setattr(Head, "__call__", lambda head, features: calls.append(len(features)) or original(head, features))
    score_all(["msp", "mls", "ebo"], sets["id_test"], sets["ood"])
    assert calls == [60, 30, 50, 40]


def test_scored_holds_the_scores_in_the_order_of_the_images(sets):
    one = score_all(["mls"], **sets)[0]
    np.testing.assert_array_equal(one.id_scores, sets["id_test"].logits.amax(1).double())
    np.testing.assert_array_equal(one.ood_scores["c"], sets["ood"]["c"].logits.amax(1).double())
    assert [row.ood_set for row in results([one])] == ["a", "c", "b", "far mean"]


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
