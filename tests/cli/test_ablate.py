"""``oodkit ablate`` from the outside: what is refused before any training, what is trained, printed and kept."""

import json
from functools import partial

import pytest
import typer

from oodkit.ablation.trials import ablate
from oodkit.cli.ablate import recipes_of, seeds_of
from oodkit.training.interruption import Terminated
from tests.ablation.stand_in import Trainer

ABLATE = ("ablate", "test_resnet", "--input-size", "32", "--limit", "40", "--workers", "0", "--device", "cpu", "--epochs", "2")
DEMO = (*ABLATE, "--data", "demo:digits:train")


@pytest.fixture
def trainer(monkeypatch):
    """Trains nothing; see there."""
    stand_in = Trainer()
    monkeypatch.setattr("oodkit.cli.ablating.ablate", partial(ablate, train=stand_in))
    return stand_in


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("v1", ["v1"]),
        ("v1,label-smoothing,mixup:alpha=1", ["v1", "label-smoothing", "mixup:alpha=1"]),
        ("a:x=1,y=2,b,c:x=1", ["a:x=1,y=2", "b", "c:x=1"]),
        ("x=1", ["x=1"]),
    ],
)
def test_recipes_and_their_settings_are_told_apart(text, specs):
    assert recipes_of(text) == specs


@pytest.mark.parametrize(("text", "seeds"), [("1", [0]), ("5", [0, 1, 2, 3, 4]), ("0,1,2", [0, 1, 2]), ("7, 3", [7, 3])])
def test_seeds_are_a_number_or_a_list(text, seeds):
    assert seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "0", "-1", "a", "1.5", "1,", "1,-2", "1001", "²", "9" * 30])
def test_other_texts_are_no_seeds(text):
    with pytest.raises(typer.BadParameter, match="give how many, 1 to 1000, or which: 0,1,2"):
        seeds_of(text)


def test_the_demo_brings_its_own_sets_and_v1_is_trained_first(run, trainer, tmp_path):
    ran = run(*DEMO, "--recipes", "label-smoothing,mixup:alpha=1", "--seeds", "2", "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, "oodkit-runs/ablate-001/result.json\n", "")
    assert trainer.calls == [(recipe, seed) for seed in (0, 1) for recipe in ("v1", "label-smoothing", "mixup:alpha=1.0")]
    document = json.loads((tmp_path / "oodkit-runs/ablate-001/result.json").read_text())
    assert document["kind"] == "ablate"
    assert {one["role"]: one["spec"] for one in document["sets"]} == {
        "train": "demo:digits:train",
        "val": "demo:digits:val",
        "id": "demo:digits",
        "near": "demo:digits-unseen",
        "far": "demo:photo-patches",
    }
    assert (document["recipes"], document["scorers"]) == (["v1", "label-smoothing", "mixup:alpha=1.0"], ["mls", "knn", "nnguide"])
    assert len(document["rows"]) == 6
    assert (document["settings"]["epochs"], document["settings"]["of_recipes"]) == (2, {})


def test_the_same_command_goes_on_and_another_begins_anew(run, trainer):
    run(*DEMO, "--recipes", "mixup", "--seeds", "1")
    ran = run(*DEMO, "--recipes", "mixup,cutmix", "--seeds", "1")
    assert trainer.calls == [("v1", 0), ("mixup", 0), ("cutmix", 0)]
    assert "3 trials in oodkit-runs/ablate-001" in ran.err
    assert "1 of 3: v1, seed 0: done already" in ran.err
    assert "2 trials in oodkit-runs/ablate-002" in run(*DEMO, "--recipes", "mixup", "--seeds", "1", "--lr", "0.01").err
    assert trainer.options["lr"] == 0.01


def test_trials_of_before_stay_in_the_result_and_are_told(run, trainer, tmp_path):
    run(*DEMO, "--recipes", "mixup", "--seeds", "1", "-o", "here")
    ran = run(*DEMO, "--recipes", "cutmix", "--seeds", "5,6", "-o", "here")
    assert trainer.calls == [("v1", 0), ("mixup", 0), ("v1", 5), ("cutmix", 5), ("v1", 6), ("cutmix", 6)]
    assert "4 trials in here, and 2 of before that join the result" in ran.err
    assert "5 of 6: mixup, seed 0: done already" in ran.err
    document = json.loads((tmp_path / "here/result.json").read_text())
    assert (document["recipes"], document["seeds"]) == (["v1", "cutmix", "mixup"], [5, 6, 0])
    ran = run(*DEMO, "--recipes", "v1", "--seeds", "1", "-o", "here", "-q")
    assert (ran.code, ran.err) == (0, "")
    assert len(json.loads((tmp_path / "here/result.json").read_text())["trials"]) == 6


def test_the_text_ends_with_how_a_trial_is_diagnosed(run, trainer):
    ran = run(*DEMO, "--recipes", "mixup", "--seeds", "1", "-o", "here")
    told = ran.out.splitlines()[-1]
    assert told == "diagnose one of the trials: oodkit diagnose local-dir:here/v1-seed0 --limit 40"
    sets = ("--id", "demo:digits", "--near", "a b=demo:digits-unseen", "--far", "x=demo:photo-patches")
    ran = run(*ABLATE, "--data", "demo:digits:val", *sets, "--recipes", "v1", "--seeds", "1", "-o", "other")
    assert ran.out.splitlines()[-1] == (
        "diagnose one of the trials: oodkit diagnose local-dir:other/v1-seed0 --id demo:digits --near 'a b=demo:digits-unseen' "
        "--far x=demo:photo-patches --train demo:digits:val --limit 40"
    )
    assert "diagnose one" not in run(*DEMO, "--recipes", "mixup", "--seeds", "1", "-o", "here", "--json").out


def test_where_nothing_was_measured_the_exit_code_says_so(run, trainer):
    from oodkit.errors import TrainingError

    trainer.fails = {(recipe, 0): TrainingError("the loss became nan") for recipe in ("v1", "mixup")}
    ran = run(*DEMO, "--recipes", "mixup", "--seeds", "1")
    assert (ran.code, ran.out) == (1, "")
    assert "no trial came to its end; v1, seed 0: the loss became nan" in ran.err


def test_an_interrupted_ablation_says_how_to_go_on(run, trainer):
    for stop, code in ((KeyboardInterrupt(), 130), (Terminated(), 143)):
        trainer.fails = {("mixup", 0): stop}
        ran = run(*DEMO, "--recipes", "mixup", "--seeds", "1")
        assert (ran.code, ran.out) == (code, "")
    assert "what is done is kept in oodkit-runs/ablate-001; the same command goes on from there" in ran.err
    trainer.fails = {}
    assert run(*DEMO, "--recipes", "mixup", "--seeds", "1").code == 0
    assert trainer.calls == [("v1", 0), *[("mixup", 0)] * 3]


def test_an_empty_folder_name_is_refused(run):
    """As an unset variable of a shell leaves it: the trials would go into the folder at hand."""
    ran = run(*DEMO, "--recipes", "mixup", "-o", "")
    assert (ran.code, "the path is empty" in ran.err) == (2, True)


def test_a_failure_is_told_on_the_way_and_in_the_table(run, trainer):
    from oodkit.errors import TrainingError

    trainer.fails = {("mixup", 0): TrainingError("the loss became nan at step 3")}
    ran = run(*DEMO, "--recipes", "mixup,cutmix", "--seeds", "1")
    assert ran.code == 0
    assert "2 of 3: mixup, seed 0: the loss became nan at step 3" in ran.err
    assert " ".join(ran.out.split()).count("the loss became nan at step 3") == 1
    assert "2 recipes on test_resnet" in ran.out


def test_every_form_is_printed_and_the_report_written(run, trainer, tmp_path):
    same = (*DEMO, "--recipes", "mixup", "--seeds", "2", "-o", "here")
    assert json.loads(run(*same, "--json").out) == json.loads((tmp_path / "here/result.json").read_text())
    assert "mixup" in run(*same, "--report", "report.html").out
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert "| mixup" in run(*same, "--format", "markdown").out
    assert "recipe," in run(*same, "--format", "csv").out
    assert len(trainer.calls) == 4


def test_options_reach_the_trainer_and_the_judge(run, trainer, tmp_path):
    options = ("--batch-size", "16", "--ema", "--amp", "no", "--weight-decay", "0", "--optimizer", "adamw", "--warmup", "0.5")
    ran = run(*DEMO, "--recipes", "v1", "--seeds", "3,5", *options, "--no-flip", "--stem", "own", "--scorer", "knn:k=5", "-q")
    assert ran.code == 0, ran.err
    wanted = {"batch_size": 16, "ema": True, "amp": "no", "weight_decay": 0.0, "optimizer": "adamw", "warmup": 0.5, "flip": False}
    assert trainer.options.items() >= {**wanted, "stem": "own", "device": "cpu", "workers": 0}.items()
    document = json.loads((tmp_path / "oodkit-runs/ablate-001/result.json").read_text())
    assert (document["seeds"], document["scorers"]) == ([3, 5], ["mls", "knn"])


OWN = (*ABLATE, "--data", "demo:digits:train", "--recipes", "mixup")
REFUSED = {
    "the recipe mixup comes twice": (*DEMO, "--recipes", "mixup,mixup"),
    "unknown recipe: 'mixpu'; did you mean mixup": (*DEMO, "--recipes", "v1,mixpu"),
    "'mixup,,v2' has an empty place for a recipe: give recipes with a comma between two": (*DEMO, "--recipes", "mixup,,v2"),
    "'' has an empty place for a recipe": (*DEMO, "--recipes", ""),
    "the seed 1 comes twice": (*DEMO, "--recipes", "v1", "--seeds", "1,1"),
    "no out-of-distribution images: give --near NAME=SET or --far NAME=SET": (*OWN, "--id", "demo:digits"),
    "no in-distribution test images: give --id SET": (*OWN, "--far", "x=demo:photo-patches"),
    "the OOD set 'x' is the very set given as --id": (*OWN, "--id", "demo:digits", "--far", "x=demo:digits"),
    "an OOD set can't be named 'near mean'": (*OWN, "--id", "demo:digits", "--far", "near mean=demo:photo-patches"),
    "pixmix trains with images to mix in: give --mixing SET": (*DEMO, "--recipes", "pixmix"),
    "--data none names none": (*ABLATE, "--data=none", "--recipes=v1", "--id=demo:digits", "--far=x=demo:photo-patches"),
    "--json and --format csv contradict": (*DEMO, "--recipes", "v1", "--json", "--format", "csv"),
    "would hold a page of HTML": (*DEMO, "--recipes", "v1", "--report", "report.txt"),
}


@pytest.mark.parametrize(("told", "arguments"), REFUSED.items())
def test_what_can_not_be_used_is_one_line_before_any_training(run, trainer, tmp_path, told, arguments):
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert trainer.calls == []
    assert not (tmp_path / "oodkit-runs").exists()


def test_settings_that_differ_from_those_in_the_folder_are_named(run, trainer):
    run(*DEMO, "--recipes", "mixup", "--seeds", "1", "-o", "here")
    ran = run(*DEMO, "--recipes", "mixup", "--seeds", "1", "-o", "here", "--lr", "0.5", "--scorer", "knn")
    assert ran.code == 2
    assert "here/v1-seed0 holds another trial: lr 0.1 there, 0.5 here; scorers" in ran.err


def test_a_trained_ablation_is_what_diagnose_says_of_its_runs(run, tmp_path):
    """With networks that really are trained, as they are trained: AUROCs to 1e-12, the shift too; and nothing is trained twice."""
    arguments = (*ABLATE[:-1], "1", "--data", "demo:digits:train", "--recipes", "augrevise", "--seeds", "1")
    assert run(*arguments, "-q").code == 0
    folder = "oodkit-runs/ablate-001"
    found = json.loads((tmp_path / folder / "result.json").read_text())
    sets = ("--id", "demo:digits", "--near", "digits-unseen=demo:digits-unseen", "--far", "photo-patches=demo:photo-patches")
    own = (*sets, "--fit", "demo:digits:train", "--val", "demo:digits:val", "--scorer", "knn", "--scorer", "nnguide")
    how = ("--limit", "40", "--workers", "0", "--device", "cpu", "--baseline", f"local-dir:{folder}/v1-seed0", "--json")
    first, second = found["trials"]
    models = {
        f"local-dir:{folder}/{first['folder']}": first,
        f"{folder}/{second['folder']}/before.safetensors": second,
    }
    diagnosed = json.loads(run("diagnose", *models, *own, *how).out)["models"]
    for trial, told in zip(models.values(), diagnosed, strict=True):
        assert trial["before"]["accuracy"] == told["accuracy"]["value"]
        for row in told["results"]:
            assert trial["before"]["aurocs"][row["scorer"]][row["ood_set"]] == pytest.approx(row["auroc"]["value"], abs=1e-12)
    assert len(diagnosed[1]["shifts"]) == 2
    for shift in diagnosed[1]["shifts"]:
        assert second["shift"][shift["ood_set"]]["ratio"] == pytest.approx(shift["ratio"]["value"], abs=1e-12)
    logs = {path: path.stat().st_mtime_ns for path in (tmp_path / folder).glob("*/log.jsonl")}
    assert run(*arguments, "-q").code == 0
    assert {path: path.stat().st_mtime_ns for path in logs} == logs
    assert len(logs) == 2
