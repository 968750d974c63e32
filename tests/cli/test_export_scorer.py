"""The card of a detector tells of the scorer that is in it, and of none that the run picked as its best."""

import json

import pytest
from huggingface_hub import ModelCard

SETS = ("--id", "demo:digits", "--near", "unseen=demo:digits-unseen", "--limit", "60", "--workers", "0", "--device", "cpu")
SCORERS = ("--scorer", "msp", "--scorer", "mls", "--scorer", "ebo", "--scorer", "gen")


def exported(run, tmp_path, scorer):
    words = ("--scorer", scorer, "--calibrate", "demo:digits:val", "-o", "d.safetensors", "--workers", "0", "--device", "cpu")
    ran = run("export", "--as", "detector", *words)
    assert ran.code == 0, ran.err
    card = ModelCard((tmp_path / "d.safetensors.md").read_text(), ignore_metadata_errors=False)
    return card, [one.metric_name for one in card.data.eval_results if one.metric_name != "Accuracy"]


@pytest.mark.parametrize("command", [("diagnose",), ("augdelete", "--train", "demo:digits:train", "--frac", "0.5")])
def test_its_figures_come_first_and_no_other_scorer_was_picked(run, tmp_path, command):
    first, *rest = command
    assert run(first, "demo:digits-v2", *rest, *SETS, *SCORERS, "--baseline", "none", "-o", "oodkit-runs/run-001", "-q").code == 0
    document = json.loads((tmp_path / "oodkit-runs/run-001/result.json").read_text())
    best = document["models"][-1]["best"]
    other = next(one for one in ("gen", "ebo") if one != best)

    card, metrics = exported(run, tmp_path, other)
    assert set(metrics) == {f"AUROC, {other}", f"FPR@95, {other}"}
    assert f"The scorer of this export, {other}: " in card.text
    assert "was picked as the best" not in card.text
    assert f"| {other} |" in card.text

    card, metrics = exported(run, tmp_path, best)
    assert metrics[0] == f"AUROC, {best}"
    assert f"{best} was picked as the best of" in card.text

    card, metrics = exported(run, tmp_path, "gen:gamma=0.3")
    assert metrics == []
    assert "was not measured with these settings; the figures are of other scorers" in card.text
