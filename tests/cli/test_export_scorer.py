"""The scorer of a detector is the one that was diagnosed; its card tells of it, and of none that the run picked as its best."""

import json

import numpy as np
import pytest
from huggingface_hub import ModelCard
from PIL import Image

import oodkit
from oodkit.report.runs import load_run

LEARNING = ("react", "klm", "temp_scaling", "knn")
TEST, RUNS = "demo:digits:test", ("--workers", "0", "--device", "cpu")
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


def learnt_and_exported(run, tmp_path, *sets):
    """By scorer what its export said, its card, and its scores of the ID test images, which are those of the diagnosis."""
    scorers = [word for name in LEARNING for word in ("--scorer", name)]
    asked = ("--id", TEST, "--near", "unseen=demo:digits-unseen", "--baseline", "none", "-o", "run", "-q", *RUNS)
    assert run("diagnose", "demo:digits-v1", *sets, *scorers, *asked).code == 0
    scores = load_run(tmp_path / "run").scores["demo:digits-v1"]
    told = {}
    for name in LEARNING:
        ran = run("export", "demo:digits-v1", "--scorer", name, *sets, "--calibrate", TEST, "-o", f"{name}.safetensors", *RUNS)
        assert ran.code == 0, ran.err
        exported = oodkit.Detector.load(tmp_path / f"{name}.safetensors").calibration.scores
        (id_set,) = set(scores[name]) - {"unseen"}
        np.testing.assert_allclose(exported, np.sort(scores[name][id_set]), rtol=1e-6, atol=1e-12)
        told[name] = ran.err, (tmp_path / f"{name}.safetensors.md").read_text().replace("<span>:</span>", ":"), exported
    return told


def test_what_is_exported_is_the_scorer_that_was_diagnosed_with_the_same_sets(run, tmp_path):
    """Also of the scorers that learn from validation images; those of which there were none say what they learnt from instead."""
    train, val = ("--train", "demo:digits:train"), ("--val", "demo:digits:val")
    with_val = learnt_and_exported(run, tmp_path, *train, *val)
    held_out = learnt_and_exported(run, tmp_path, *train)
    for name in LEARNING:
        (said, card, scores), (told, other_card, others) = with_val[name], held_out[name]
        learns = "train" if name == "knn" else "val"
        assert (said, f", which learnt from demo:digits:{learns}; higher" in card) == ("", True)
        if name == "knn":
            assert (told, other_card) == ("", card)
            continue
        drawn = "learnt from 72 of the 721 images of demo:digits:train, drawn class by class"
        assert told.startswith(f"note: without validation images {name} {drawn}; ")
        assert f", which {drawn}; higher" in other_card
        assert not np.allclose(scores, others, rtol=1e-4)


def test_a_scorer_that_learns_from_validation_images_needs_no_training_images_and_is_not_calibrated_on_its_own(run, tmp_path):
    words = ("export", "demo:digits-v1", "--scorer", "react", "--val", "demo:digits:val", "-o", "d.safetensors", *RUNS)
    assert run(*words, "--calibrate", TEST).code == 0
    ran = run(*words, "--calibrate", "demo:digits:val")
    assert (ran.code, ran.out) == (2, "")
    assert "react would be calibrated on the images that it learns from: give --calibrate other ID images" in ran.err
    ran = run("export", "demo:digits-v1", "--scorer", "react", "--calibrate", TEST)
    needs = "react learns from ID images: give --val SET or --train SET too, or a scorer that learns nothing, such as mls"
    assert (ran.code, ran.err) == (2, f"error: {needs}\n")
    ran = run("export", "demo:digits-v1", "--scorer", "knn", "--val", "demo:digits:val", "--calibrate", TEST)
    assert (ran.code, "knn learns from ID images: give --train SET too, " in ran.err) == (2, True)


def test_images_that_are_calibrated_on_too_are_not_learnt_from_and_told_of(run, tmp_path):
    for set_name, seeds in {"train": range(8), "apart": range(6, 12)}.items():
        for seed in seeds:
            file = tmp_path / set_name / str(seed % 2) / f"{seed}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng(seed).integers(0, 256, (28, 28, 3), dtype=np.uint8)).save(file)
    words = ("export", "demo:digits-v1", "--scorer", "knn:k=2", "--train", "train", "--calibrate", "apart", "-o", "d.safetensors")
    ran = run(*words, *RUNS)
    assert ran.code == 0, ran.err
    assert (
        "caution: 2 of 6 --calibrate images are among the --train images, such as 0/6.png: only the other 6 of 8 --train images "
        "are learnt from; if the network was trained on them, it will take more ID images than --alpha for OOD ones\n"
    ) in ran.err
    assert "which learnt from those 6 images of train that it was not calibrated on;" in (tmp_path / "d.safetensors.md").read_text()
    assert oodkit.Detector.load(tmp_path / "d.safetensors").scorer.fitted_on == 6
