"""What a scorer can not serve is its reason and stops no other; what no scorer could serve is refused up front."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from oodkit.errors import UsageError
from oodkit.evaluation import evaluate
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.scorers import SCORERS, make_scorer, one_pass_scorers
from oodkit.scoring import score_all

from .three_classes import GROUPS, one_of_each, outputs_of

NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 8 GiB")
NO_CONVERGENCE = torch.linalg.LinAlgError("linalg.eigh: failed to converge")


@pytest.fixture
def sets():
    return one_of_each()


def test_images_to_learn_from_of_another_network_are_a_reason(sets):
    fit = Outputs(sets["fit"].features[:, :5], sets["fit"].labels, head=Head(torch.eye(3, 5), torch.zeros(3)))
    fitted = make_scorer("fsebo").fit(fit)
    rows = {row.scorer: row for row in evaluate(["mls", "knn", fitted], **{**sets, "fit": fit})}
    assert rows["mls"].reason is None
    assert "knn was fitted on features of 5 entries and 3 classes, got 8 and 3" in rows["knn"].reason
    assert "fsebo was fitted on features of 5 entries" in rows["fsebo"].reason


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


def test_a_scorer_that_does_not_apply_stops_nothing(sets):
    unlabelled = sets["fit"].with_labels(torch.full((200,), -1))
    rows = evaluate(["mds", "knn"], sets["id_test"], sets["ood"], fit=unlabelled)
    reasons = {row.scorer: row.reason for row in rows}
    assert "200 of 200 have no label" in reasons["mds"]
    assert reasons["knn"] is None


def test_a_setting_that_this_network_rules_out_is_a_row_with_its_reason(sets):
    rows = evaluate(["vim:dim=8", "msp"], **sets)
    assert "below the 8 features of this network" in next(row.reason for row in rows if row.scorer == "vim")
    assert next(row.auroc for row in rows if row.scorer == "msp")


def test_scores_that_are_not_finite_become_a_reason_that_names_the_set(sets):
    features = sets["ood"]["c"].features.clone()
    features[4, 7] = torch.nan  # no logit reads feature 7 but by 0 · NaN
    sets["ood"]["c"] = Outputs(features, logits=sets["ood"]["c"].logits)
    scored = {one.name: one for one in score_all(["knn", "mls"], **sets)}
    assert scored["knn"].reason.startswith("knn gives NaN or infinite scores")
    assert scored["knn"].reason.endswith("(in c)")
    assert (len(scored["knn"].id_scores), scored["knn"].ood_scores) == (0, {})
    assert scored["mls"].reason is None


def test_every_scorer_in_one_go(sets):
    """Those that need a probe say so, once and without the name of a set."""
    rows = evaluate(list(SCORERS), **sets, groups=GROUPS)
    assert {row.scorer for row in rows} == set(SCORERS)
    assert {row.scorer for row in rows if row.reason is None} == set(one_pass_scorers())
    assert all(row.reason.endswith("])") for row in rows if row.reason is not None), "extract(…, probes=[…])"
    assert len(json.loads(json.dumps([asdict(row) for row in rows]))) == 6 * len(SCORERS)


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


def narrower(outputs, columns=8, classes=2):
    """As of another network: fewer features, or fewer classes."""
    return Outputs(outputs.features[:, :columns], logits=outputs.logits[:, :classes])


@pytest.mark.parametrize(("columns", "classes", "message"), [(5, 3, "5 features, the ID test has 8"), (8, 2, "2 classes, the ID")])
def test_an_ood_set_of_another_network_is_refused_up_front(sets, columns, classes, message):
    sets["ood"]["b"] = narrower(sets["ood"]["b"], columns, classes)
    with pytest.raises(UsageError, match=f"the OOD set 'b' comes from another network: {message}"):
        evaluate(["mls"], **sets)


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
