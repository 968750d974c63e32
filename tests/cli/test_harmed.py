"""A refit that does harm: the run keeps the untouched model everywhere but in the head that was asked for."""

import json

import pytest
import torch
from safetensors.torch import load_file

import oodkit
from oodkit.head import Head

V2 = "demo:digits-v2"
HARM = ("augdelete", V2, "--scorer", "mls", "--baseline", "none", "--workers", "0", "--device", "cpu", "--thumbnails", "0")
FOLDER = "oodkit-runs/augdelete-001"
EXPORTED = "demo-digits-v2-head.safetensors"


@pytest.fixture
def harmed(run):
    """A tenth of the training images, 9 of a digit, is too few for this small network."""
    ran = run(*HARM, "--frac", "0.1", "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_what_did_harm_is_neither_advised_nor_in_the_detector_nor_exported(run, harmed, tmp_path):
    repair, advice = harmed["repair"], harmed["models"][1]["verdict"]["advice"]
    assert repair["outcome"] == "harmed"
    assert advice[0]["text"].startswith("Keep the model as it was. Score with mls")
    assert advice[0]["command"] == f"oodkit export {V2} --scorer mls --calibrate SET"
    assert advice[1]["command"].startswith(f"oodkit augdelete {V2} ")
    assert advice[1]["command"].endswith(" --frac 1")
    assert len(advice) == 2
    assert "detector.safetensors has the head as it was, since the refit does harm" in repair["notes"]
    assert any(note.endswith("with oodkit export --scorer mls --calibrate SET") for note in repair["notes"])
    source, refitted = oodkit.load_classifier(V2), Head.load(tmp_path / FOLDER / "head.safetensors")
    assert torch.equal(oodkit.Detector.load(tmp_path / FOLDER / "detector.safetensors").model.head.weight, source.head.weight)
    assert not torch.equal(refitted.weight, source.head.weight)

    ran = run("export")
    assert ran.code == 0, ran.err
    assert repair["sentence"] in ran.err
    assert f"exported as it was loaded; the refitted head leaves with --head {FOLDER}/head.safetensors" in ran.err
    assert torch.equal(load_file(tmp_path / EXPORTED)["fc.weight"], source.head.weight)
    card = (tmp_path / f"{EXPORTED}.md").read_text()
    assert "nothing was changed" in card
    assert "Before and after the repair" not in card

    ran = run("export", "--head", f"{FOLDER}/head.safetensors", "-o", "refitted.safetensors")
    assert ran.code == 0, ran.err
    assert torch.equal(load_file(tmp_path / "refitted.safetensors")["fc.weight"], refitted.weight)


def test_where_nothing_changed_the_model_as_it_was_is_scored(run):
    """So strong a penalty lets nothing move by a bit."""
    ran = run(*HARM, "--limit", "60", "--l2", "1e30", "--json")
    document = json.loads(ran.out)
    assert document["repair"]["outcome"] == "no-change"
    assert not any(row["changed"] for row in document["repair"]["changes"])
    (advice,) = document["models"][1]["verdict"]["advice"]
    assert advice["command"].startswith(f"oodkit diagnose {V2} ")
    assert "why KNN is ahead" not in " ".join(document["models"][1]["verdict"]["evidence"])
