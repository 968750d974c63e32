"""``oodkit augdelete`` without a model takes up the run made last, and says so."""

import json
import shutil
from pathlib import Path

import pytest

EXPECTED = "expected a folder, an image list (.txt), an .npz, an .npy or a set such as demo:digits"

V1, V2 = "demo:digits-v1", "demo:digits-v2"
SETS = ("--id", "demo:digits", "--far", "patches=demo:photo-patches", "--limit", "40", "--workers", "0", "--device", "cpu")
FIT = ("--fit", "demo:digits:train")
BARE = ("--scorer", "mls", "--scorer", "knn:k=3")


@pytest.fixture
def diagnosed(run):
    def invoke(*arguments):
        ran = run("diagnose", *(arguments or (V2, *SETS, *FIT, *BARE)), "-q")
        assert ran.code == 0, ran.err

    return invoke


def document_of(ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_model_sets_scorers_and_settings_are_those_of_the_run_made_last(run, diagnosed):
    diagnosed(V2, *SETS, *FIT, *BARE, "--preset", "paper", "--seed", "3", "--baseline", "none", "--thumbnails", "0")
    ran = run("augdelete", "--workers", "0", "--json")
    document = document_of(ran)
    made, told = ran.err.splitlines()[:2]
    assert made.startswith("the run made last: oodkit-runs/diagnose-001, ")
    sets = "--id demo:digits --far patches=demo:photo-patches --train demo:digits:train --limit 40"
    assert told == f"its model: {V2}; its image sets: {sets}"
    assert document["inputs"]["models"] == [V2]
    assert document["inputs"]["sets"]["fit"] == "demo:digits:train"
    assert document["models"][0]["baseline"] is None
    assert {row["spec"] for row in document["models"][0]["results"]} == {"mls", "knn:k=3"}
    settings = document["settings"]
    assert (settings["preset"], settings["seed"], settings["device"], settings["thumbnails"]) == ("paper", 3, "cpu", 0)


def test_what_is_given_goes_before_it(run, diagnosed):
    diagnosed()
    again = (
        "--train",
        "demo:digits:val",
        "--limit",
        "30",
        "--seed",
        "5",
        "--scorer",
        "msp",
        "--baseline",
        "none",
        "--workers",
        "0",
    )
    document = document_of(run("augdelete", *again, "--json"))
    assert document["repair"]["train"]["spec"] == "demo:digits:val"
    assert (document["settings"]["seed"], document["inputs"]["sets"]["limit"]) == (5, 30)
    assert {row["scorer"] for row in document["models"][0]["results"]} == {"msp", "mls", "knn"}
    assert document["models"][0]["baseline"] is None


def test_a_repair_is_a_run_too(run, diagnosed):
    """After a repair with other training images they need not be named again."""
    diagnosed(V2, *SETS, *BARE)
    assert run("augdelete", "--train", "demo:digits:train", "--workers", "0", "-q").code == 0
    ran = run("augdelete", "--frac", "0.5", "--workers", "0", "--json")
    assert ran.err.startswith("the run made last: oodkit-runs/augdelete-001, ")
    document = document_of(ran)
    assert (document["inputs"]["models"], document["repair"]["train"]["spec"]) == ([V2], "demo:digits:train")


def test_scorers_that_run_the_network_again_are_not_taken_over(run, diagnosed):
    diagnosed(V2, *SETS, *FIT, *BARE, "--scorer", "odin")
    document = document_of(run("augdelete", "--workers", "0", "--json"))
    assert {row["scorer"] for row in document["models"][0]["results"]} == {"mls", "knn"}


def test_settings_that_were_searched_are_taken_over_as_they_were_found(run, diagnosed):
    tune = ("--near", "unseen=demo:digits-unseen", "--tune", "t=demo:photo-patches", "--val", "demo:digits:val")
    sets = ("--id", "demo:digits", *FIT, *tune, "--limit", "40", "--workers", "0")
    diagnosed(V2, *sets, "--scorer", "mls", "--scorer", "react")
    before = json.loads(Path("oodkit-runs/diagnose-001/result.json").read_text())
    document = document_of(run("augdelete", "--workers", "0", "--json"))
    specs = [{row["spec"] for row in one["models"][0]["results"]} for one in (before, document)]
    assert specs[0] == specs[1]
    assert document["inputs"]["sets"]["tune"] == {}


def test_without_any_run_it_says_what_makes_one(run):
    ran = run("augdelete")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "no run to take; oodkit-runs has none yet, oodkit diagnose MODEL makes one" in ran.err


def test_of_several_models_it_asks_which(run, diagnosed):
    diagnosed(V1, V2, *SETS, *BARE)
    ran = run("augdelete", "--train", "demo:digits:train")
    assert ran.code == 2
    message = f"oodkit-runs/diagnose-001 is of 2 models: name the one that you mean, oodkit augdelete {V1} or oodkit augdelete {V2}"
    assert message in ran.err.splitlines()[-1]


def test_without_training_images_it_asks_for_them(run, diagnosed):
    diagnosed(V2, *SETS, *BARE)
    message = "oodkit-runs/diagnose-001 had no training images to refit on: give --train SET, a folder of class folders for example"
    for arguments in ((), ("--train", "none")):
        ran = run("augdelete", *arguments)
        assert ran.code == 2
        assert message in ran.err.splitlines()[-1]


@pytest.mark.parametrize(
    "option",
    [
        ("--id", "x"),
        ("--near", "a=x"),
        ("--far", "a=x"),
        ("--benchmark", "cifar10"),
        ("--arch", "resnet18"),
        ("--input-size", "32"),
        ("--mean", "0.5"),
        ("--std", "0.5"),
        ("--model-arg", "a=1"),
        ("--checkpoint", "x"),
        ("--allow-pickle",),
    ],
)
def test_what_goes_with_a_model_is_refused_without_one(run, diagnosed, option):
    ran = run("augdelete", *option)
    message = f"error: {option[0]} goes with a model: name it too, or leave {option[0]} to the run made last\n"
    assert (ran.code, ran.err) == (2, message)


def test_sets_that_are_gone_are_named(run, tmp_path):
    from PIL import Image

    (tmp_path / "far").mkdir()
    for i in range(4):
        Image.new("RGB", (8, 8), (60 * i, 0, 0)).save(tmp_path / "far" / f"{i}.png")
    sets = ("--id", "demo:digits", "--far", "mine=far", "--limit", "40", "--workers", "0")
    assert run("diagnose", V2, *sets, *FIT, *BARE, "-q").code == 0
    shutil.rmtree(tmp_path / "far")
    ran = run("augdelete")
    assert ran.code == 3
    told = "the set of --far mine in oodkit-runs/diagnose-001: put it back, or name MODEL and its image sets anew"
    assert ran.err.splitlines()[-1] == f"error: no folder or file far; {EXPECTED}; {told}"


def test_training_images_that_are_gone_can_be_given_anew(run, tmp_path):
    from oodkit.images import open_images

    digits = open_images("demo:digits:train", limit=40)
    for index in range(40):
        folder = tmp_path / "tr2" / str(digits.labels[index])
        folder.mkdir(parents=True, exist_ok=True)
        digits.load(index).save(folder / f"{index}.png")
    assert run("diagnose", V2, *SETS, "--fit", "tr2", *BARE, "-q").code == 0
    shutil.rmtree(tmp_path / "tr2")
    ran = run("augdelete")
    told = "the set of --train in oodkit-runs/diagnose-001: put it back, or give --train anew"
    assert (ran.code, ran.err.splitlines()[-1]) == (3, f"error: no folder or file tr2; {EXPECTED}; {told}")
    assert run("augdelete", "--train", "demo:digits:train", "--workers", "0", "-q").code == 0


def test_code_runs_only_where_it_is_named(run, tmp_path):
    """A run's folder may come from anywhere: neither a py: model nor leave to unpickle is taken from it."""
    (tmp_path / "net.py").write_text(
        "import torch\n\ndef net():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 12), torch.nn.ReLU(), torch.nn.Linear(12, 8))\n"
    )
    how = ("--input-size", "8", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5", "--allow-pickle")
    assert run("diagnose", "py:net.py:net", *SETS, *FIT, *BARE, *how, "-q").code == 0
    ran = run("augdelete")
    assert ran.code == 2
    before, _, command = ran.err.splitlines()[-1].partition("; name it: ")
    reason = "its network py:net.py:net is made by running code, which a file does not start"
    assert before == f"error: oodkit-runs/diagnose-001 does not load its model by itself, {reason}"
    assert command.startswith("oodkit augdelete py:net.py:net --input-size 8,8 --mean 0.5,0.5,0.5")
    assert "--id demo:digits" in command
    assert "--train demo:digits:train" in command
    assert "--allow-pickle" not in command
    program, *arguments = command.split()
    assert program == "oodkit"
    assert run(*arguments, *BARE, "--workers", "0", "-q").code == 0


@pytest.mark.parametrize(
    ("part", "value", "reason", "words"),
    [
        (("loading", "model_args"), {"act_layer": "gelu"}, "is built with 'model_args'", "--model-arg act_layer=gelu"),
        (("baselines", 0), "py:net.py:net", "its network py:net.py:net is made by running code", "--baseline py:net.py:net"),
    ],
)
def test_a_run_decides_on_no_more_than_a_detector_does(run, diagnosed, part, value, reason, words):
    """Neither on arguments of the network, nor on code as a baseline; the command to type is told."""
    diagnosed()
    path = Path("oodkit-runs/diagnose-001/result.json")
    document = json.loads(path.read_text())
    document["inputs"][part[0]][part[1]] = value
    path.write_text(json.dumps(document))
    ran = run("augdelete")
    assert ran.code == 2
    before, _, command = ran.err.splitlines()[-1].partition("; name it: ")
    assert reason in before
    assert command.startswith(f"oodkit augdelete {V2} ")
    assert words in command
    exported = run("export").err.splitlines()[-1]
    assert reason in exported
    assert "--id" not in exported


def test_a_damaged_run_is_one_clear_line(run, diagnosed):
    diagnosed()
    path = Path("oodkit-runs/diagnose-001/result.json")
    document = json.loads(path.read_text())
    del document["inputs"]
    path.write_text(json.dumps(document))
    ran = run("augdelete")
    assert ran.code == 3
    assert "lacks inputs" in ran.err.splitlines()[-1]


def test_what_the_environment_says_of_this_machine_goes_before_it(run, diagnosed, monkeypatch):
    """Another machine's device says nothing; where it keeps its images does not move those of the run."""
    diagnosed()
    path = Path("oodkit-runs/diagnose-001/result.json")
    document = json.loads(path.read_text())
    document["settings"]["device"] = "cuda:7"
    document["inputs"]["sets"]["data_root"] = "elsewhere"
    path.write_text(json.dumps(document))
    monkeypatch.setenv("OODKIT_DEVICE", "cpu")
    monkeypatch.setenv("OODKIT_DATA", "mine")
    found = document_of(run("augdelete", "--workers", "0", "--json"))
    assert (found["settings"]["device"], found["inputs"]["sets"]["data_root"]) == ("cpu", "elsewhere")
