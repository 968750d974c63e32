"""``oodkit augdelete`` from the outside: what it writes and tells, and that its files are the repaired model."""

import json
import shlex
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from .repairing import BARE, SETS, SMALL, TEST, V1, V2, document_of


def test_a_repair_tells_before_and_after_and_leaves_head_and_detector(run, tmp_path):
    ran = run("augdelete", V2, *SETS, *BARE, "--frac", "1")
    assert ran.code == 0, ran.err
    for part in ("ID accuracy", "Before and after the repair", "Maximal logit before and after", "lbfgs", "Verdict"):
        assert part in ran.out
    folder = tmp_path / "oodkit-runs" / "augdelete-001"
    assert {one.name for one in folder.iterdir()} >= {
        "result.json",
        "head.safetensors",
        "detector.safetensors",
        "scores.safetensors",
    }
    for name in ("result.json", "head.safetensors", "detector.safetensors"):
        assert f"oodkit-runs/augdelete-001/{name}" in ran.err
    document = json.loads((folder / "result.json").read_text())
    assert (document["kind"], [one["name"] for one in document["models"]]) == ("augdelete", [V2, f"{V2} + AugDelete"])
    assert [one["baseline"] for one in document["models"]] == [None, V2]
    assert document["repair"]["train"] == {"spec": "demo:digits:train", "images": 60, "taken": 60, "views": 0}
    assert document["repair"]["sentence"] in " ".join(ran.out.split())


def test_save_and_output_are_one_option():
    from typer.main import get_command

    from oodkit.cli import app

    (option,) = (one for one in get_command(app).commands["augdelete"].params if "--save" in one.opts)
    assert set(option.opts) == {"--save", "--output", "-o"}


def test_files_go_where_they_are_asked_for(run, tmp_path):
    ran = run("augdelete", V2, *SETS, *BARE, "-q", "--save", "here", "--report", "page.html")
    assert ran.out.split() == ["here/result.json", "here/head.safetensors", "here/detector.safetensors", "page.html"]
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert not (tmp_path / "oodkit-runs").exists()


@pytest.fixture
def no_harm(monkeypatch):
    """So few images do harm, and then the untouched head would be kept: see test_harmed.py."""
    from oodkit.cli import repairing

    compare = repairing.compare_repair
    monkeypatch.setattr(repairing, "compare_repair", lambda *a, **kw: replace(compare(*a, **kw), outcome="repaired"))


@pytest.mark.usefixtures("no_harm")
def test_the_files_are_the_repaired_model(run, tmp_path):
    """The head goes into the network with timm's or torch's own loading; the detector gives the scores of the result."""
    from oodkit import load_classifier, open_images
    from oodkit.detector import Detector

    document = document_of(run("augdelete", V2, *SETS, *BARE, "--frac", "1", "-o", "here", "--json"))
    model = load_classifier(V2)
    with safe_open("here/head.safetensors", "pt") as file:
        facts = file.metadata()
    assert (facts["method"], facts["fraction"], facts["data"], facts["source"]) == ("AugDelete", "1.0", "demo:digits:train", V2)
    figures = json.loads(facts["metrics"])
    assert figures["ID accuracy"]["after"] == document["models"][1]["accuracy"]["value"]
    detector = Detector.load("here/detector.safetensors")
    model.net.load_state_dict(load_file("here/head.safetensors"), strict=False)
    images = open_images("demo:digits", limit=60)
    pixels = torch.stack([model.transform(images.load(index)) for index in range(60)])
    with torch.no_grad():
        logits = model.net(pixels)
        found = detector(pixels)
    assert torch.allclose(found.logits, logits, atol=1e-4)
    after = document["models"][1]
    column = [list(_scorers(tmp_path / "here", after["name"])).index(after["best"]), 0]
    with safe_open("here/scores.safetensors", "np") as file:
        stored = file.get_tensor(f"1.{column[0]}.{column[1]}")
    assert np.allclose(found.scores.numpy(), stored, rtol=1e-3)
    assert (~found.accepted).float().mean() <= 0.05


def test_a_head_says_by_itself_how_it_was_made_and_what_came_of_it(run):
    """A hundredth of 60 images is none of most classes: 8 were taken, and that is the fraction."""
    how = ("--frac", "0.01", "--seed", "3", "--l2", "0.5", "--init", "zeros", "--views", "2", "--val", "demo:digits:val")
    document = document_of(run("augdelete", V2, *SETS, *BARE, *how, "-o", "here", "--json"))
    with safe_open("here/head.safetensors", "pt") as file:
        facts = file.metadata()
    assert json.loads(facts["fraction"]) == 8 / 60
    refit = document["repair"]["refit"]
    assert json.loads(facts["refit"]) == {
        "solver": "lbfgs",
        "init": "zeros",
        "l2": 0.5,
        "judged_by": "val",
        "start_loss": refit["start_loss"],
        "held_out_loss": refit["held_out_loss"],
        "fraction_asked": 0.01,
        "images": 8,
        "views": 2,
        "seed": 3,
        "outcome": document["repair"]["outcome"],
    }


def _scorers(folder, model):
    with safe_open(folder / "scores.safetensors", "np") as file:
        return json.loads(file.metadata()["names"])[model]


def test_what_reads_features_alone_is_scored_once_and_has_not_changed(run, monkeypatch):
    from oodkit.scorers.knn import Knn

    searched, score = [], Knn._score
    monkeypatch.setattr(Knn, "_score", lambda self, chunk: searched.append(len(chunk)) or score(self, chunk))
    document = document_of(run("augdelete", V2, *SETS, *BARE, "--frac", "1", "--json"))
    assert sum(searched) == 3 * 60
    changed = {row["scorer"]: row["changed"] for row in document["repair"]["changes"] if row["ood_set"] == "mean"}
    assert changed == {"mls": True, "knn": False}


def test_a_scorer_in_doubt_is_neither_the_best_nor_the_detectors(run, tmp_path):
    """Of 30 images KNN looks at the 20th neighbour, of another class: its figures say nothing of the features."""
    scorers = ("--scorer", "knn:k=20", "--scorer", "mls", "--baseline", "none")
    ran = run("augdelete", V2, *SETS, *scorers, "--frac", "0.5", "-o", "here")
    assert ran.code == 0, ran.err
    assert "in doubt: the neighbour k = 20 lies beyond the 3.75 training images" in " ".join(ran.out.split())
    document = json.loads((tmp_path / "here" / "result.json").read_text())
    assert [one["best"] for one in document["models"]] == ["mls", "mls"]
    assert any(" scores with mls" in note for note in document["repair"]["notes"])


AVERAGED = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = torch.nn.Linear(192, 12), torch.nn.Linear(192, 12)
        self.head, self.head_dist = torch.nn.Linear(12, 8), torch.nn.Linear(12, 8)

    def forward(self, pixels):
        pixels = pixels.flatten(1)
        return (self.head(self.one(pixels).relu()) + self.head_dist(self.two(pixels).relu())) / 2

def make():
    return Net()
"""


def test_a_network_that_averages_two_heads_is_repaired(run, tmp_path):
    from oodkit import load_classifier, open_images
    from oodkit.head import Head

    (tmp_path / "net.py").write_text(AVERAGED)
    how = ("--input-size", "8", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5")
    document = document_of(run("augdelete", "py:net.py:make", *SETS, *BARE, *how, "--frac", "1", "-o", "here", "--json"))
    assert document["repair"]["outcome"] in {"repaired", "no-change", "harmed"}
    model = load_classifier("py:net.py:make", input_size=8, mean=(0.5,) * 3, std=(0.5,) * 3)
    head = Head.load("here/head.safetensors")
    assert model.head.layers == head.layers == ("head", "head_dist")
    model.net.load_state_dict(load_file("here/head.safetensors"), strict=False)
    images = open_images("demo:digits", limit=60)
    with torch.no_grad():
        logits = model.net(torch.stack([model.transform(images.load(index)) for index in range(60)]))
    labels = torch.from_numpy(images.labels)
    correct = (logits.argmax(1) == labels).double().mean().item()
    assert correct == pytest.approx(document["models"][1]["accuracy"]["value"])
    assert correct > document["models"][0]["accuracy"]["value"]


def test_a_scorer_with_a_probe_runs_the_repaired_network_and_stays_out_of_the_detector(run):
    document = document_of(
        run("augdelete", V2, *SETS, "--scorer", "odin", "--scorer", "mls", "--baseline", "none", "--frac", "1", "--json")
    )
    changes = {(row["scorer"], row["ood_set"]): row for row in document["repair"]["changes"]}
    assert changes["odin", "mean"]["changed"]
    assert all(row["reason"] is None for model in document["models"] for row in model["results"] if row["scorer"] == "odin")
    assert not any("detector.safetensors scores with odin" in note for note in document["repair"]["notes"])


def test_the_baseline_of_the_model_before_is_its_plain_sibling(run):
    document = document_of(run("augdelete", V2, *SETS, "--scorer", "mls", "--json"))
    assert [one["baseline"] for one in document["models"]] == [V1, V2]
    assert document["inputs"]["baselines"] == [V1]
    assert "last layer refitted by plain cross-entropy" in document["models"][1]["facts"]["recipe"]


@pytest.mark.usefixtures("no_harm")
def test_every_advised_command_parses_and_runs(run):
    """SET and RUN are what the user is to put in."""
    how = ("--solver", "sgd", "--init", "zeros", "--l2", "0.001", "--views", "2", "--alpha", "0.1")
    scorers = ("--scorer", "mls", "--scorer", "knn", "--baseline", "none")
    document = document_of(run("augdelete", V2, *SETS, *scorers, *how, "--frac", "0.5", "--json"))
    commands = [one["command"] for model in document["models"] for one in model["verdict"]["advice"] if one["command"]]
    assert any(f"--frac 0.5 {' '.join(how)} --scorer knn:k=" in command for command in commands)
    assert f"oodkit export {V2} --head RUN/head.safetensors --scorer mls --calibrate SET" in commands
    commands = [one.replace("RUN/", "oodkit-runs/augdelete-001/").replace(" SET", " demo:digits:val") for one in commands]
    for command in (one for one in commands if " MODEL " not in one):  # which the user is to put in
        program, *arguments = shlex.split(command)
        assert program == "oodkit"
        ran = run(*arguments, "--workers", "0", "--quiet")
        assert ran.code == 0, ran.err


def test_help_names_what_stands_without_a_model(run):
    assert "the run made last" in " ".join(run("augdelete", "--help").out.replace("│", " ").split())


def test_a_result_that_cannot_be_written_whole_is_written_all_the_same(run, monkeypatch, tmp_path):
    from oodkit.errors import OodkitError

    def full(*_):
        raise OodkitError("no space left on device")

    run("augdelete", V2, *SETS, *BARE, "-q")
    monkeypatch.setattr(sys.modules["oodkit.cli.repairing"], "save_head", full)
    ran = run("augdelete", V2, *SETS, *BARE, "-q")
    assert (ran.code, ran.err) == (1, "error: no space left on device\n")
    assert ran.out.split() == [f"oodkit-runs/augdelete-002/{name}" for name in ("result.json", "detector.safetensors")]


def test_one_that_is_stopped_between_result_and_head_leaves_no_head_of_the_run_before(run, monkeypatch, tmp_path):
    """The next one may write over it all the same, and a diagnosis leaves no head of a repair beside it either."""

    def stopped(*_):
        raise KeyboardInterrupt

    again = ("augdelete", V2, *SETS, *BARE, "-q", "-o", "here")
    assert run(*again).code == 0
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["oodkit.cli.repairing"], "save_head", stopped)
        assert run(*again, "--frac", "1").code == 130
    assert json.loads((tmp_path / "here" / "result.json").read_text())["repair"]["train"]["taken"] == 60
    assert not list((tmp_path / "here").glob("*[dr].safetensors"))
    assert run(*again).code == 0
    assert len(list((tmp_path / "here").glob("*[dr].safetensors"))) == 2
    assert run("diagnose", V2, *TEST, *SMALL, *BARE, "-q", "-o", "here").code == 0
    assert not list((tmp_path / "here").glob("*[dr].safetensors"))
