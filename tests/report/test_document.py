"""The document itself: plain, complete, and the one place where the best scorer is named."""

import json


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
