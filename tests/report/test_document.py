"""The document itself: plain, complete, and the one place where the best scorer is named."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from oodkit.advice import Advice
from oodkit.after_repair import export_flags
from oodkit.diagnosis import diagnose
from oodkit.extremes import ShownImage
from oodkit.head import Head
from oodkit.outputs import Outputs
from oodkit.report.document import Asked, Found, _Commands, make_document


def test_it_is_json_and_read_back_it_is_the_same(document):
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_it_names_the_best_scorer_and_the_mean_that_it_is_best_in(document):
    (model,) = document["models"]
    values = {row["scorer"]: row["auroc"]["value"] for row in model["results"] if row["ood_set"] == "far mean" and row["auroc"]}
    assert model["summary"] == "far mean"
    assert values[model["best"]] == max(values.values())
    assert f"--scorer {model['best']}" in model["verdict"]["advice"][0]["command"]


def test_an_advised_command_can_be_typed_whatever_the_model_is_called(document):
    assert document["models"][0]["verdict"]["advice"][0]["command"].startswith("oodkit diagnose 'net<br>' --id x ")


@pytest.mark.parametrize(
    ("base", "learns", "named"),
    [
        ("--id x --train y --val 'a set'", "val", "--val 'a set' "),
        ("--id x --train y --val 'a set'", "train", "--train y "),
        ("--id x --train y", "val", "--train y "),
        ("--benchmark openood --train y --val none", "val", "--train y "),
        ("--benchmark openood --data-root d", "val", "--val SET "),
        ("--id x --train y", None, ""),
    ],
)
def test_an_advised_detector_learns_from_what_the_scorer_learnt_from_that_was_diagnosed(base, learns, named):
    """Without validation images that was a share of the training images."""
    row = SimpleNamespace(spec="one:k=5", fits_on=learns)
    advice = Advice("", model="net", flags=export_flags(row), command="export")
    told = _Commands(Asked("", {}, {}, base), None).of(advice, "net")
    assert told == f"oodkit export net --scorer one:k=5 {named}--calibrate SET"


def test_an_option_that_the_advice_gives_anew_stands_once():
    base = "--id 'a b' --train none --allow-pickle --input-size 32,32 --mean 0.5,0.5,0.5 --model-arg n=2"
    advice = Advice("", flags="--train SET --input-size SIZE --mean R,G,B")
    told = _Commands(Asked("", {}, {}, base), None).of(advice, "net")
    kept = "--id 'a b' --allow-pickle --model-arg n=2"
    assert told == f"oodkit diagnose net {kept} --train SET --input-size SIZE --mean R,G,B"


def test_a_detector_of_a_run_without_validation_images_asks_for_none():
    row = SimpleNamespace(spec="react", fits_on="val")
    assert export_flags(row, val_given=False) == "--scorer react --train SET --calibrate SET"


def test_densities_are_of_the_maximal_logit_and_of_the_best_scorer(compared_run):
    plain, softened = compared_run.document["models"]
    shown = [(one["scorer"], one["title"], one["model"]) for one in softened["densities"]]
    best = (softened["best"], f"Scores of {softened['best']}", softened["name"])
    assert shown == [*(("mls", "Maximal logit", one["name"]) for one in (plain, softened)), best]
    for one in softened["densities"]:
        widths = np.diff(one["edges"])
        assert list(one["sets"]) == ["ID", *(row["name"] for row in compared_run.document["sets"][1:])]
        assert [np.dot(values, widths) for values in one["sets"].values()] == pytest.approx([1, 1, 1], abs=1e-4)


def test_where_the_maximal_logit_is_the_best_scorer_it_is_shown_once(document):
    (model,) = document["models"]
    assert [one["scorer"] for one in model["densities"]] == [model["best"]] == ["mls"]


def test_the_maximal_logits_of_model_and_baseline_share_their_edges(compared_run):
    plain, softened = compared_run.document["models"]
    before, after = softened["densities"][:2]
    assert (before["model"], after["model"]) == (plain["name"], softened["name"])
    assert before["edges"] == after["edges"]
    assert before["sets"] != after["sets"]
    assert [one["model"] for one in plain["densities"]] == [plain["name"]] * len(plain["densities"])


def test_there_is_a_curve_on_every_set_for_the_five_best_scorers(compared_run):
    """Best first by the mean that they are compared by; the area below each is the AUROC in the table."""
    for model in compared_run.document["models"]:
        rows = {(row["scorer"], row["ood_set"]): row["auroc"]["value"] for row in model["results"] if row["auroc"]}
        means = sorted((value for (_, name), value in rows.items() if name == model["summary"]), reverse=True)
        labels = list(dict.fromkeys(curve["scorer"] for curve in model["roc"]))
        assert [rows[label, model["summary"]] for label in labels] == means[:5]
        assert [curve["ood_set"] for curve in model["roc"]] == [row["name"] for row in compared_run.document["sets"][1:]] * 5
        for curve in model["roc"]:
            area = np.trapezoid(curve["id_accepted"], curve["ood_accepted"])
            assert area == pytest.approx(rows[curve["scorer"], curve["ood_set"]], abs=0.002)


def test_what_was_read_and_the_extremes_are_told_as_they_are_given(run):
    (model,) = run.document["models"]
    assert list(model["read"]) == [row["name"] for row in run.document["sets"]]
    first = model["extremes"]["rejected"][0]
    assert set(model["extremes"]) == {"scorer", "accepted", "rejected"}
    assert [set(first), first["thumbnail"]] == [set(ShownImage.__annotations__), next(iter(run.thumbnails))]


def test_extremes_that_are_not_wanted_are_null():
    inside, outside = (
        Outputs(torch.rand(9, 4) + shift, torch.arange(9) % 3, head=Head(torch.eye(3, 4), torch.zeros(3))) for shift in (1, 0)
    )
    found = diagnose("net", inside, {"far": outside}, scorers=["mls"])
    document = make_document([Found(found, {})], [], Asked("", {}, {"models": ["net"]}))
    (model,) = document["models"]
    assert (model["extremes"], model["read"], document["schema"], document["inputs"]) == (None, {}, 2, {"models": ["net"]})
