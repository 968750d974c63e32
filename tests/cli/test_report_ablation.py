"""``oodkit report`` tells an ablation again; commands that are about models pass it over, or say what it is."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from oodkit.ablation import Ablation, Figures, Trial
from oodkit.ablation.rows import rows_of, with_shifts
from oodkit.report.ablations import document_of_ablation
from oodkit.report.runs import Run, save_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of two recipes below the folder that the test works in."""
    figures = Figures(0.9, {"mls": {"svhn": 0.8, "far mean": 0.8, "mean": 0.8}}, {"mls": {"mean": 0.5}}, {"id": 9.0, "svhn": 5.0})
    trials = with_shifts([Trial(name, 0, f"{name}-seed0", 1.0, figures, figures, None) for name in ("v1", "mixup")], "v1")
    rows = rows_of(trials, ("v1", "mixup"), "v1")
    found = Ablation(
        arch="resnet18",
        data="cifar",
        baseline="v1",
        recipes=("v1", "mixup"),
        seeds=(0,),
        scorers=("mls",),
        groups={"svhn": "far"},
        trials=trials,
        rows=rows,
        failures=(),
        unlike=(),
        notes=(),
    )
    document = document_of_ablation(found, command="oodkit ablate resnet18", settings={"epochs": 1}, sets=[])
    save_run(Run(document), tmp_path / "oodkit-runs" / "ablate-001")
    return tmp_path / "oodkit-runs" / "ablate-001"


@pytest.mark.parametrize("name", [None, "ablate-001", "oodkit-runs/ablate-001", "oodkit-runs/ablate-001/result.json"])
def test_the_page_stands_in_the_runs_folder(run: Any, folder: Path, name: str | None) -> None:
    told = run("report", *([name] if name else []))
    assert (told.code, told.out) == (0, "oodkit-runs/ablate-001/report.html\n")
    assert "2 recipes on resnet18" in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("text", "2 recipes on resnet18 (cifar), 1 seed each\n"),
        ("markdown", "## 2 recipes on resnet18"),
        ("csv", "recipe,head,scorer,ood_set,group,"),
        ("json", '{\n "schema": 1,\n "kind": "ablate",'),
    ],
)
def test_every_form_is_told(run: Any, folder: Path, form: str, begins: str) -> None:
    told = run("report", "ablate-001", "--format", form)
    assert told.code == 0
    assert told.out.startswith(begins)
    if form == "json":
        assert json.loads(told.out) == json.loads((folder / "result.json").read_text())


@pytest.mark.usefixtures("folder")
def test_a_form_that_is_of_one_model_is_refused(run: Any) -> None:
    told = run("report", "ablate-001", "--format", "model-card")
    assert told.code == 2
    assert "--format model-card is not for a result of the kind 'ablate'; give text, json, markdown, csv" in told.err


@pytest.mark.usefixtures("folder")
def test_commands_that_are_about_a_model_pass_it_over(run: Any) -> None:
    for words in (["augdelete"], ["export", "--as", "head"]):
        told = run(*words)
        assert told.code == 2
        assert "no run to take" in told.err


def test_it_is_not_compared_with_models(run: Any, folder: Path) -> None:
    copytree(folder, folder.with_name("ablate-002"))
    told = run("compare", "ablate-001", "ablate-002")
    assert told.code == 3
    assert (
        "diagnose its trials, each with oodkit diagnose local-dir:oodkit-runs/ablate-001/v1-seed0, and give these runs" in told.err
    )
