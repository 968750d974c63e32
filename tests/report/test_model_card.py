"""The section of a model card: the Hub's own library reads the figures, and Python runs the code in it."""

import ast
import inspect
import json
import re
from dataclasses import replace
from importlib.resources import files

import pytest
import torch
import yaml
from huggingface_hub import ModelCard

import oodkit
from oodkit.images import open_images
from oodkit.report.model_card import LOADING, render_model_card
from oodkit.report.remarks import summary_result
from oodkit.scorers import make_scorer
from oodkit.wording import printable


def results_of(document) -> dict[tuple[str, str], float]:
    card = ModelCard(render_model_card(document), ignore_metadata_errors=False)
    return {(one.dataset_name, one.metric_name): one.metric_value for one in card.data.eval_results}


def test_the_hubs_library_reads_every_figure(document):
    (model,) = document["models"]
    card = ModelCard(render_model_card(document))
    assert card.data.model_name == "net<br>"
    found = results_of(document)
    assert found["in-distribution", "Accuracy"] == pytest.approx(model["accuracy"]["value"], abs=5e-5)
    (ood_set,) = {name for name, _ in found} - {"in-distribution"}
    assert ood_set == printable(model["max_logits"][1]["image_set"])
    scorers = {model["best"], "mls"}  # msp was not asked for
    assert {metric for name, metric in found if name == ood_set} == {
        f"{kind}, {one}" for kind in ("AUROC", "FPR@95") for one in scorers
    }
    best = summary_result(model, model["best"])
    assert found[ood_set, f"AUROC, {model['best']}"] == pytest.approx(best["auroc"]["value"], abs=5e-5)
    assert found[ood_set, f"FPR@95, {model['best']}"] == pytest.approx(best["fpr95_ood"]["value"], abs=5e-5)


def test_a_card_that_the_library_wrote_again_has_lost_nothing(document):
    """It takes results of one task and type of data set for results on one set."""
    card = ModelCard(render_model_card(document))
    again = ModelCard(str(card))
    assert again.data.eval_results == card.data.eval_results
    kinds = {(one.task_type, one.metric_type) for one in card.data.eval_results}
    assert kinds == {("image-classification", "accuracy")} | {
        ("out-of-distribution-detection", one) for one in ("roc_auc", "fpr95")
    }


@pytest.mark.parametrize(
    "name",
    [
        "a: b",
        '"x',
        "- a\n---\n",
        "*x &y !!z",
        "yes",
        "1e-5",
        "\ufffe\uffff\ufeff",
        "漢 🙂",
        "\\u0041 \x85\u2028",
        "# no",
        "{a: [b]}",
        "\udcff",
    ],
)
def test_no_name_gets_out_of_the_metadata(document, name):
    document["models"][0]["name"] = name
    for row in document["models"][0]["results"]:
        row["ood_set"] = row["ood_set"] if row["ood_set"] == "far mean" else name
    text = render_model_card(document)
    (index,) = yaml.safe_load(text.split("---\n")[1])["model-index"]
    assert index["name"] == printable(name)
    assert {one["dataset"]["name"] for one in index["results"]} == {"in-distribution", printable(name)}
    assert list(yaml.safe_load(text.split("---\n")[1])) == ["model-index"]


def test_a_set_from_the_hub_is_named_by_its_id(document):
    document["sets"][0]["spec"] = "hf:cifar/cifar10/plain_text:test"
    card = ModelCard(render_model_card(document))
    (accuracy,) = (one for one in card.data.eval_results if one.metric_type == "accuracy")
    assert (accuracy.dataset_type, accuracy.dataset_config, accuracy.dataset_split) == ("cifar/cifar10", "plain_text", "test")
    for spec in ("hf:./mine:test", "hf:/data/mine"):
        document["sets"][0]["spec"] = spec
        card = ModelCard(render_model_card(document))
        assert "in-distribution" in {one.dataset_type for one in card.data.eval_results}


def test_means_over_several_sets_are_results_too(compared_run):
    document = compared_run.document
    document["models"] = document["models"][:1]
    names = {name for name, _ in results_of(document)}
    assert "mean" in names
    assert not names & {"near mean", "far mean"}  # each over a single set


def test_of_several_models_each_has_a_section_and_none_metadata(compared_run):
    text = render_model_card(compared_run.document)
    assert text.startswith(r"## Out-of-distribution detection: net\<br\>" + "\n")
    assert len(re.findall(r"^## Out-of-distribution detection: ", text, re.MULTILINE)) == 2
    assert "model-index" not in text
    assert text.count("<details>") == 1


def code_of(document) -> str:
    return re.search(r"^(`{3,})python\n(.*?)^\1$", render_model_card(document), re.DOTALL | re.MULTILINE)[2]


def test_the_code_loads_the_model_as_the_run_did(document):
    """Whatever it is called."""
    document["models"][0]["name"] = name = "a'b\"\n```\n"
    document["inputs"]["loading"] |= {"arch": "resnet18", "input_size": [3, 32, 32]}
    lines = code_of(document).splitlines()
    ast.parse("\n".join(lines))
    assert lines[2] == f"model = oodkit.load_classifier({name!r}, arch='resnet18', input_size=[3, 32, 32])"


def test_no_key_of_a_result_from_elsewhere_becomes_code(document):
    """The reader is told to run it."""
    evil = "arch=__import__('os').system('id'), mean"
    document["inputs"]["loading"] |= {evil: [0.5], "arch": "resnet18"}
    loads = code_of(document).splitlines()[2]
    assert loads.endswith("arch='resnet18')")
    assert "system" not in loads


def test_the_code_names_every_option_that_a_model_loads_by():
    schema = json.loads(files("oodkit.report").joinpath("schemas/diagnose.schema.json").read_text("utf-8"))
    assert list(LOADING) == list(schema["$defs"]["loading"]["properties"])
    assert set(LOADING) <= inspect.signature(oodkit.load_classifier).parameters.keys()


@pytest.mark.parametrize(
    ("spec", "fits_on", "preset", "expected"),
    [
        ("mls", None, "openood", "make_scorer('mls')"),
        ("react:percentile=85", "train", "paper", "make_scorer('react', preset='paper', percentile=85.0).fit(learn)"),
        ("odin:noise=0.002", None, "openood", "make_scorer('odin', noise=0.002)"),
    ],
)
def test_the_code_names_settings_preset_and_probe(document, spec, fits_on, preset, expected):
    (model,) = document["models"]
    best = summary_result(model, model["best"])
    best |= {"spec": spec, "fits_on": fits_on}
    document["settings"]["preset"] = preset
    code = code_of(document)
    assert f"scorer = oodkit.{expected}\n" in code
    eval(f"make_scorer{expected.removeprefix('make_scorer').removesuffix('.fit(learn)')}", {"make_scorer": make_scorer})
    assert ("learn = " in code) == (fits_on is not None)
    assert ("probes=['odin:" in code) == spec.startswith("odin")


def test_the_section_tells_verdict_limits_and_how_it_was_made(document):
    text = render_model_card(document)
    for part in ("## Out-of-distribution detection\n", "### Limits\n", "A threshold does not transfer", "on these very image sets"):
        assert part in text
    assert "How this was made" in text
    assert "| mls | nothing |" in text
    assert not [char for char in text if char != "\n" and not char.isprintable()]


def test_nothing_scored_leaves_the_accuracy(document):
    (model,) = document["models"]
    for row in model["results"]:
        row.update(dict.fromkeys(("auroc", "fpr95_ood", "fpr95_id", "aupr_in", "aupr_out")), reason="no <scores>")
    model["best"] = None
    assert [metric for _, metric in results_of(document)] == ["Accuracy"]
    assert "```python" not in render_model_card(document)


def test_the_code_runs(document, monkeypatch, tmp_path):
    """With the demo's model, and its images in place of the reader's own."""
    opened = {"ID training images": "demo:digits:train", "new images": "demo:digits-unseen"}
    monkeypatch.setattr(oodkit, "open_images", lambda name: open_images(opened[name], limit=40), raising=False)
    monkeypatch.setenv("OODKIT_CACHE", str(tmp_path))
    (model,) = document["models"]
    model["name"] = "demo:digits-v2"
    summary_result(model, model["best"]).update(spec="knn:k=5", fits_on="train")
    names: dict = {}
    exec(code_of(document), names)
    assert names["scores"].shape == (40,)
    assert names["scorer"].k == 5


def test_of_a_repair_the_card_is_the_repaired_models(repaired_run):
    """With what was done, and the figures before and after it."""
    document = repaired_run.document
    text = render_model_card(document)
    assert ModelCard(text).data.model_name == printable(document["repair"]["after"])
    assert results_of(document)["in-distribution", "Accuracy"] == pytest.approx(
        document["models"][1]["accuracy"]["value"], abs=5e-5
    )
    assert "was refitted by plain cross-entropy on 240 images of" in text
    assert "### Before and after the repair" in text
    assert text.count("## Out-of-distribution detection") == 1
    assert not [char for char in text if char != "\n" and not char.isprintable()]


def test_the_code_of_a_repaired_model_runs(repaired_run, monkeypatch, tmp_path):
    """It loads the model as it was and writes the refitted head into it."""
    document = repaired_run.document
    opened = {"ID training images": "demo:digits:train", "new images": "demo:digits-unseen"}
    monkeypatch.setattr(oodkit, "open_images", lambda name: open_images(opened[name], limit=40), raising=False)
    monkeypatch.setenv("OODKIT_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    model = oodkit.load_classifier("demo:digits-v2")
    head = replace(model.head, weight=model.head.weight * 2)
    head.save("head.safetensors")
    document["repair"]["before"] = "demo:digits-v2"
    summary_result(document["models"][1], document["models"][1]["best"]).update(spec="mls", fits_on=None)
    names: dict = {}
    exec(code_of(document), names)
    assert torch.equal(names["model"].head.weight, head.weight)
    assert torch.allclose(names["images"].logits, head(names["images"].features), atol=1e-4)
