"""``oodkit diagnose`` from the outside: what it prints, writes and remembers."""

import gc
import json
import shlex
import sys
import weakref
from pathlib import Path

import pytest
from PIL import Image

V1, V2 = "demo:digits-v1", "demo:digits-v2"


def test_a_diagnosis_shows_every_part(run, demo_sets):
    ran = run("diagnose", V2, *demo_sets)
    assert ran.code == 0
    for part in (
        "60 images of demo:digits",
        "ID accuracy",
        "Maximal logit",
        f"shift against {V1}",
        "AUROC / FPR@95",
        "Verdict",
        "Advice",
    ):
        assert part in ran.out
    assert "oodkit-runs/diagnose-001/result.json" in ran.err


def test_json_alone_goes_to_stdout_and_equals_the_stored_result(run, demo_sets, tmp_path):
    ran = run("diagnose", V2, *demo_sets, "--json")
    document = json.loads(ran.out)
    assert document == json.loads((tmp_path / "oodkit-runs/diagnose-001/result.json").read_text())
    (model,) = document["models"]
    assert model["baseline"] == V1
    rows = {(row["scorer"], row["ood_set"]): row for row in model["results"]}
    assert set(rows["mls", "unseen"]["auroc"]) == {"value", "low", "high"}
    assert rows["knn", "unseen"]["settings"]["k"] == 50
    assert {one["role"] for one in document["sets"]} == {"id", "fit", "near", "far"}
    assert len(model["max_logits"]) == 3
    assert model["facts"]["preprocessing"]["input_size"] == [3, 32, 32]


def test_every_advised_command_parses_and_runs(run, demo_sets):
    document = json.loads(run("diagnose", V2, *demo_sets, "--json").out)
    commands = [advice["command"] for advice in document["models"][0]["verdict"]["advice"] if advice["command"]]
    assert commands
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "oodkit"
        assert run(*arguments, "--workers", "0", "--quiet").code == 0


def test_a_second_run_is_read_from_the_cache_and_says_the_same(run, demo_sets, monkeypatch):
    first = json.loads(run("diagnose", V2, *demo_sets, "--json").out)
    monkeypatch.setattr(sys.modules["oodkit.forward"], "features_and_logits", lambda *_: pytest.fail("a forward pass was made"))
    second = json.loads(run("diagnose", V2, *demo_sets, "--json").out)
    assert first["models"] == second["models"]


def test_quiet_prints_the_paths_of_what_was_written(run, demo_sets, tmp_path):
    ran = run("diagnose", V1, *demo_sets, "--quiet", "--report", "report.html", "--output", "here")
    assert (ran.out, ran.err) == ("here/result.json\nreport.html\n", "")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_several_models_end_in_a_comparison(run, demo_sets):
    ran = run("diagnose", V1, V2, *demo_sets, "--report", "report.html")
    table = ran.out[ran.out.index("2 models compared") :]
    assert V1 in table
    assert V2 in table


def test_without_a_baseline_there_is_no_shift(run, demo_sets):
    document = json.loads(run("diagnose", V2, *demo_sets, "--baseline", "none", "--json").out)
    assert (document["models"][0]["baseline"], document["models"][0]["shifts"]) == (None, [])


def test_a_model_without_a_known_sibling_says_so(run, demo_sets):
    ran = run("diagnose", V1, *demo_sets)
    assert "no baseline: no plain sibling of this checkpoint is known" in ran.out


def test_chosen_scorers_and_their_settings(run, demo_sets):
    document = json.loads(run("diagnose", V1, *demo_sets, "--scorer", "msp", "--scorer", "knn:k=5", "--json").out)
    rows = document["models"][0]["results"]
    assert {row["scorer"] for row in rows} == {"msp", "knn", "mls"}
    assert next(row for row in rows if row["scorer"] == "knn")["settings"]["k"] == 5


def test_a_scorer_named_twice_stands_in_the_table_once(run, demo_sets):
    document = json.loads(run("diagnose", V1, *demo_sets, "--scorer", "knn", "--scorer", "knn:k=50", "--json").out)
    specs = [row["spec"] for row in document["models"][0]["results"] if row["ood_set"] == "unseen"]
    assert sorted(specs) == ["knn", "mls"]


def test_the_paper_preset_reaches_the_scorers(run, demo_sets):
    document = json.loads(run("diagnose", V1, *demo_sets, "--preset", "paper", "--scorer", "react", "--json").out)
    assert next(row for row in document["models"][0]["results"] if row["scorer"] == "react")["fits_on"] == "train"


def test_without_training_images_what_needs_them_is_a_row_with_the_reason(run):
    sets = ("--id", "demo:digits", "--far", "patches=demo:photo-patches", "--limit", "40", "--workers", "0")
    ran = run("diagnose", V1, *sets)
    assert ran.code == 0
    assert "not scored, learns from ID train images and none were given" in ran.out
    assert "--train SET" in ran.out


def test_unreadable_images_are_counted_and_named(run, tmp_path):
    folder = tmp_path / "far"
    folder.mkdir()
    for i in range(12):
        Image.new("RGB", (8, 8), (20 * i, 0, 0)).save(folder / f"{i:02}.png")
    (folder / "00.png").write_bytes(b"no image")
    ran = run("diagnose", V1, "--id", "demo:digits", "--far", f"mine={folder}", "--limit", "40", "--workers", "0")
    assert "mine, 11 images" in ran.out
    assert "1 unreadable and skipped" in ran.out
    assert "skipped 00.png: not an image" in ran.out


def test_an_ood_set_of_known_classes_is_pointed_out(run, tmp_path):
    for name in ("3", "unicorn"):
        (tmp_path / "far" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (8, 8), (80 * i, 0, 0)).save(tmp_path / "far" / name / f"{i}.png")
    ran = run("diagnose", V1, "--id", "demo:digits", "--far", f"mine={tmp_path / 'far'}", "--limit", "40", "--workers", "0")
    assert "3 of 6 images are of classes that demo:digits-v1 knows, such as '3'" in ran.out


def test_shuffled_class_names_end_in_a_suspect_input(run, tmp_path):
    """The classes of the folder are moved by one: accuracy falls to nothing, and the verdict says where to look."""
    from oodkit.images import open_images

    digits = open_images("demo:digits", limit=80)
    for i in range(len(digits)):
        folder = tmp_path / "id" / str((int(digits.labels[i]) + 1) % 8)
        folder.mkdir(parents=True, exist_ok=True)
        digits.load(i).save(folder / f"{i}.png")
    ran = run(
        "diagnose", V1, "--id", str(tmp_path / "id"), "--far", "patches=demo:photo-patches", "--limit", "80", "--workers", "0"
    )
    assert "can't be told from chance; class order or preprocessing may be wrong" in ran.out


def test_an_own_checkpoint_against_a_named_baseline(run, demo_sets):
    """--arch is for the file alone; the shipped baseline needs none and would refuse it."""
    from oodkit import demo

    own = f"{demo.__path__[0]}/digits-v2.safetensors"
    ran = run("diagnose", own, "--arch", "test_resnet", "--baseline", V1, *demo_sets, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["models"][0]["baseline"] == V1


def test_an_ood_set_may_have_labels_of_its_own(run, tmp_path):
    import numpy as np

    np.savez(tmp_path / "ood.npz", images=np.zeros((5, 32, 32, 3), np.uint8), labels=np.arange(5) + 90)
    ran = run("diagnose", V1, "--id", "demo:digits", "--far", "x=ood.npz", "--limit", "40", "--workers", "0")
    assert ran.code == 0, ran.err


def test_images_to_learn_from_need_no_labels(run, tmp_path):
    (tmp_path / "flat").mkdir()
    for i in range(6):
        Image.new("RGB", (8, 8), (40 * i, 0, 0)).save(tmp_path / "flat" / f"{i}.png")
    sets = (
        "--id",
        "demo:digits",
        "--far",
        "x=demo:photo-patches",
        "--fit",
        str(tmp_path / "flat"),
        "--limit",
        "40",
        "--workers",
        "0",
    )
    rows = json.loads(run("diagnose", V1, *sets, "--json").out)["models"][0]["results"]
    reasons = {row["scorer"]: row["reason"] for row in rows}
    assert reasons["knn"] is None
    assert "label" in reasons["mds"]


def test_the_advised_command_keeps_the_settings(run, demo_sets):
    ran = run("diagnose", V1, *demo_sets, "--preset", "paper", "--seed", "3", "--scorer", "knn:k=7", "--json")
    (model,) = json.loads(ran.out)["models"]
    advised = next(advice["command"] for advice in model["verdict"]["advice"] if advice["command"])
    assert "--preset paper" in advised
    assert "--seed 3" in advised
    assert "--device cpu" in advised


def test_a_grey_network_takes_its_own_input_size(run, tmp_path):
    (tmp_path / "grey.py").write_text(
        "import torch\n\ndef net():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8 * 6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 8))\n"
    )
    sets = ("--id", "demo:digits", "--far", "x=demo:photo-patches", "--limit", "40", "--workers", "0")
    ran = run("diagnose", "py:grey.py:net", "--input-size", "1,8,6", "--mean", "0.5", "--std", "0.5", *sets, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["models"][0]["facts"]["preprocessing"]["input_size"] == [1, 8, 6]


def test_a_shared_baseline_is_loaded_and_diagnosed_once(run, demo_sets, monkeypatch):
    from oodkit import demo
    from oodkit.cli import each_model, loading

    loads, diagnoses = [], []
    load, diagnose = loading.load_classifier, each_model.diagnose
    monkeypatch.setattr(loading, "load_classifier", lambda name, **options: loads.append(name) or load(name, **options))
    monkeypatch.setattr(
        each_model, "diagnose", lambda name, *rest, **options: diagnoses.append(name) or diagnose(name, *rest, **options)
    )
    own = f"{demo.__path__[0]}/digits-v2.safetensors"
    assert run("diagnose", V2, own, "--baseline", V1, *demo_sets, "--quiet").code == 0
    assert sorted(loads) == sorted([V1, V2, own])
    assert diagnoses == [V1, V2, own]


def test_of_a_model_that_was_diagnosed_no_outputs_are_kept(run, demo_sets, monkeypatch):
    """What the scorers made of the outputs of ten models, and keeps as long as they do, would be gigabytes."""
    from oodkit.cli import extracting

    made, alive, extract = [], [], extracting.extract

    def extracted(model, images, **more):
        if made and made[-1][0] != model.name:
            gc.collect()
            alive.append(sum(own() is not None for _, own in made))
        outputs = extract(model, images, **more)
        made.append((model.name, weakref.ref(outputs)))
        return outputs

    monkeypatch.setattr(extracting, "extract", extracted)
    assert run("diagnose", V2, *demo_sets, "--scorer", "mls", "--quiet").code == 0
    assert (alive, {name for name, _ in made}) == ([0], {V1, V2})


def test_a_model_that_is_a_baseline_too_is_diagnosed_once(run, demo_sets, monkeypatch):
    from oodkit.cli import each_model

    names, diagnose = [], each_model.diagnose
    monkeypatch.setattr(each_model, "diagnose", lambda name, *rest, **more: names.append(name) or diagnose(name, *rest, **more))
    document = json.loads(run("diagnose", V2, V1, *demo_sets, "--scorer", "mls", "--json").out)
    assert names == [V1, V2]
    assert [(one["name"], one["baseline"]) for one in document["models"]] == [(V2, V1), (V1, None)]


def test_the_result_says_what_was_asked_for(run, demo_sets):
    inputs = json.loads(run("diagnose", V2, *demo_sets, "--json").out)["inputs"]
    assert inputs["models"] == [V2]
    assert inputs["baselines"] == [V1]
    assert inputs["sets"]["id_test"] == "demo:digits"
    assert inputs["sets"]["near"] == {"unseen": "demo:digits-unseen"}
    assert inputs["loading"]["arch"] is None


def test_names_that_no_encoding_holds_end_no_run(run, tmp_path):
    import os

    folder = os.fsdecode(os.fsencode(tmp_path) + b"/far\xff[/b]")
    Path(folder).mkdir(parents=True)
    for i in range(3):
        Image.new("RGB", (8, 8), (80 * i, 0, 0)).save(f"{folder}/{i}.png")
    sets = ("--id", "demo:digits", "--far", f"[/x]={folder}", "--limit", "40", "--workers", "0")
    ran = run("diagnose", V1, *sets, "--report", "report.html")
    assert ran.code == 0, ran.err
    assert "[/x]" in ran.out


@pytest.mark.parametrize(("command", "option"), [("diagnose", "--train"), ("augdelete", "--fit")])
def test_training_images_are_named_alike_by_both_commands(run, demo_sets, command, option):
    """So that an advised command is spelled in one way, whichever it is."""
    sets = [option if word == "--fit" else word for word in demo_sets]
    document = json.loads(run(command, "demo:digits-v1", *sets, "--scorer", "mls", "--scorer", "knn:k=3", "--json").out)
    assert document["inputs"]["sets"]["fit"] == "demo:digits:train"
