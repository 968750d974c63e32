"""``oodkit compare`` on the command line: finds runs, prints one form, and refuses in one line what it can't compare."""

import csv
import io
import json

import pytest

RUN = ("--scorer", "mls", "--scorer", "knn:k=5", "-q")


@pytest.fixture
def two_runs(run, demo_sets):
    """The shipped checkpoints on the demo's sets: v1 with the near and the far set, v2 with knn otherwise and the near set."""
    at = demo_sets.index("--far")
    near_only = (*demo_sets[:at], *demo_sets[at + 2 :])
    assert run("diagnose", "demo:digits-v1", *demo_sets, *RUN).code == 0
    assert run("diagnose", "demo:digits-v2", *near_only, "--baseline", "none", *RUN, "--scorer", "msp").code == 0
    return "diagnose-001", "diagnose-002"


def test_runs_are_compared_by_name_and_as_json(run, two_runs, tmp_path):
    ran = run("compare", *two_runs, "--json")
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert document["command"] == "oodkit compare diagnose-001 diagnose-002 --json"
    assert [(one["key"], one["name"], one["run"]) for one in document["models"]] == [
        ("A", "demo:digits-v1", "diagnose-001"),
        ("B", "demo:digits-v2", "diagnose-002"),
    ]
    assert [one["name"] for one in document["sets"]] == ["unseen"]
    assert {row["against"]["paired"] for row in document["results"] if row["against"]} == {"all"}
    told = document["models"][1]["accuracy_difference"]
    assert told["paired"], "which ID images were right is stored beside the scores"
    right = [one["accuracy"]["value"] for one in document["models"]]
    assert told["value"] == pytest.approx(right[1] - right[0])
    assert {(one["kind"], one["name"]) for one in document["left_out"]} == {("set", "patches"), ("scorer", "msp")}
    by_path = run("compare", *(str(tmp_path / "oodkit-runs" / name / "result.json") for name in two_runs), "--format", "json")
    assert json.loads(by_path.out)["results"] == document["results"]


def test_the_forms(run, two_runs):
    text = run("compare", *two_runs)
    assert "B − A, AUROC" in text.out
    assert "\nA  oodkit diagnose demo:digits-v1 --id demo:digits" in text.out
    markdown = run("compare", *two_runs, "--format", "markdown")
    assert markdown.out.startswith("## Comparison\n\n")
    assert "| A | demo:digits-v1 | diagnose-001 |" in markdown.out
    lines = list(csv.DictReader(io.StringIO(run("compare", *two_runs, "--format", "csv").out)))
    assert [line["model"] for line in lines[:2]] == ["demo:digits-v1", "demo:digits-v2"]


def test_one_run_may_be_held_against_published_figures(run, two_runs):
    ran = run("compare", two_runs[0], "--published")
    assert ran.code == 0
    assert "no published figures, A: they are for whole benchmarks, so diagnose with --benchmark NAME" in ran.out


def test_refusals_are_one_line(run, two_runs):
    for arguments, message in (
        ([two_runs[0]], "a comparison needs two models, got only demo:digits-v1; give another RUN, or --published"),
        ([two_runs[0], f"oodkit-runs/{two_runs[0]}"], "the run oodkit-runs/diagnose-001 is given twice; give each once"),
        ([*two_runs, "--json", "--format", "csv"], "--json and --format csv contradict each other; give one of them"),
        (["elsewhere", two_runs[0]], "no run elsewhere: there is no such folder; oodkit-runs has diagnose-001, diagnose-002"),
    ):
        ran = run("compare", *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"error: {message}")
        assert ran.err.count("\n") == 1


def test_two_results_in_one_folder_are_two_and_the_scores_belong_to_one(run, two_runs, tmp_path):
    folders = [tmp_path / "oodkit-runs" / name for name in two_runs]
    (folders[0] / "other.json").write_bytes((folders[1] / "result.json").read_bytes())
    ran = run("compare", two_runs[0], str(folders[0] / "other.json"))
    assert ran.code == 3
    assert "has no scores of demo:digits-v2 beside its result" in ran.err


def test_scores_that_are_gone_are_an_input_error(run, two_runs, tmp_path):
    (tmp_path / "oodkit-runs" / two_runs[1] / "scores.safetensors").unlink()
    ran = run("compare", *two_runs)
    assert ran.code == 3
    assert "diagnose-002 has no scores of demo:digits-v2 beside its result" in ran.err
