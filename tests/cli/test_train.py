"""``oodkit train`` as a user sees it: what is printed where, which folder, and how an interrupted run goes on."""

import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from oodkit.training import run as run_module
from oodkit.training.log import read_log
from tests.training.in_two import in_two

SETS = ("--data", "demo:digits:train", "--val", "demo:digits:val", "--limit", "32")
QUICK = ("--input-size", "32", "--epochs", "2", "--batch-size", "16", "--workers", "0", "--device", "cpu")
TRAIN = ("train", "test_resnet", *SETS, *QUICK)


def never(*_args, **_kwargs):
    raise AssertionError("it was trained")


def settings_of(folder):
    return json.loads((Path(folder) / "training.json").read_text("utf-8"))["asked"]["settings"]


@contextmanager
def interrupted(number=signal.SIGINT):
    """While open, a training stops as by Ctrl-C, or by another signal, after one step."""
    run = run_module.learn

    def stopped(*arguments, progress=None, **options):
        def stop(reached):
            if progress is not None:
                progress(reached)
            os.kill(os.getpid(), number)

        return run(*arguments, progress=stop, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "learn", stopped)
        yield


def test_the_result_goes_to_stdout_and_the_way_there_to_stderr(run):
    ran = run(*TRAIN)
    folder = "oodkit-runs/train-001"
    lines = ran.out.splitlines()
    assert ran.code == 0, ran.err
    assert lines[0].startswith("test_resnet, trained with v1 on 32 images of 8 classes for 2 epochs, in ")
    assert lines[1].startswith("accuracy on demo:digits:val: ")
    assert f"network: {folder}/model.safetensors" in lines
    assert lines[-1] == f"diagnose it: oodkit diagnose local-dir:{folder}"
    told = ran.err.splitlines()
    assert told[0] == f"training into {folder}"
    assert [line.partition(":")[0] for line in told[1:]] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert all(word in told[1] for word in ("loss", "accuracy", "on validation images", "images/s", "left"))
    assert all(len(line.split()) > 1 and line.isprintable() for line in (*lines, *told))


def test_the_advised_command_diagnoses_it_on_the_demos_images(run):
    run(*TRAIN, "-q")
    for name in ("local-dir:oodkit-runs/train-001", "oodkit-runs/train-001/best.safetensors"):
        ran = run("diagnose", name, "--limit", "20", "--scorer", "mls", "--workers", "0", "--device", "cpu")
        assert ran.code == 0, ran.err
        assert "recipe v1 of oodkit" in ran.out
        assert "digits-unseen, 20 images of demo:digits-unseen" in ran.out


def test_json_is_the_runs_own_document_and_quiet_prints_the_folder_alone(run):
    ran = run(*TRAIN, "-o", "run", "--json")
    assert json.loads(ran.out) == json.loads(Path("run/training.json").read_text("utf-8"))
    assert json.loads(ran.out)["status"] == "finished"
    assert run(*TRAIN, "-o", "other", "-q")[1:] == ("other\n", "")


def test_the_same_command_goes_on_where_ctrl_c_ended_it_and_trains_nothing_twice(run, monkeypatch):
    with interrupted():
        ran = run(*TRAIN)
    folder = "oodkit-runs/train-001"
    assert (ran.code, ran.out) == (130, "")
    last = ran.err.splitlines()[-1]
    assert last == f"interrupted after step 1 (epoch 1) of 4: saved in {folder}; the same command goes on from there"
    ran = run(*TRAIN)
    assert ran.err.splitlines()[0] == f"{folder} is unfinished: going on from step 1"
    assert [line["step"] for line in read_log(Path(folder)) if "epoch" in line] == [2, 4]
    monkeypatch.setattr(run_module, "learn", never)
    again = run(*TRAIN)
    assert (again.code, again.out) == (0, ran.out)
    assert again.err == f"{folder} is finished: nothing is trained again; another --seed or -o DIR trains anew\n"
    note = f"note: nothing was written for TensorBoard; the log is {folder}/log.jsonl"
    assert run(*TRAIN, "--tensorboard").err.splitlines()[1:] == [note]
    assert sorted(path.name for path in Path("oodkit-runs").iterdir()) == ["train-001"]


def test_the_exit_code_is_that_of_the_signal(run):
    """128 and its number, as shells and schedulers tell a program that a signal ended."""
    with interrupted(signal.SIGTERM):
        ran = run(*TRAIN)
    assert (ran.code, ran.err.splitlines()[-1].partition(" after ")[0]) == (143, "interrupted")


def test_a_training_is_no_result_and_its_checkpoint_no_network(run):
    """Each is told with what to type instead."""
    run(*TRAIN, "-q")
    folder = "oodkit-runs/train-001"
    way_out = f"error: {folder} is a training (training.json); diagnose it first: oodkit diagnose local-dir:{folder}\n"
    for words in (("report", folder), ("report", "train-001"), ("compare", f"{folder}/training.json", folder)):
        assert run(*words)[::2] == (2, way_out)
    ran = run("finetune", f"{folder}/last.safetensors", *SETS, "--device", "cpu")
    told = f"{folder}/last.safetensors is for going on with its training, no network alone; the trained network is"
    assert ran[::2] == (3, f"error: {told} {folder}/model.safetensors\n")


def test_another_command_gets_a_folder_of_its_own_and_is_refused_in_this_one(run):
    with interrupted():
        run(*TRAIN)
        assert run(*TRAIN, "--seed", "1").code == 130
    assert sorted(path.name for path in Path("oodkit-runs").iterdir()) == ["train-001", "train-002"]
    ran = run(*TRAIN, "--lr", "0.2", "-o", "oodkit-runs/train-001")
    message = "holds another training: lr 0.1 there, 0.2 here; ask for the same again, or give another folder"
    assert (ran.code, ran.err) == (2, f"error: oodkit-runs/train-001 {message}\n")


def test_what_is_said_goes_before_the_recipe(run):
    run(*TRAIN, "--recipe", "v2", "-o", "recipe", "-q")
    run(
        *TRAIN, "--recipe", "v2", "--no-ema", "--weight-decay", "0.001", "--warmup", "0", "--optimizer", "adamw", "-o", "said", "-q"
    )
    own, said = settings_of("recipe"), settings_of("said")
    assert (own["ema"], own["weight_decay"], own["optimizer"], own["repeats"]) == (True, 2e-5, "sgd", 4)
    assert (said["ema"], said["weight_decay"], said["optimizer"], said["repeats"], said["warmup"]) == (
        False,
        0.001,
        "adamw",
        4,
        0.0,
    )
    assert (said["epochs"], said["batch_size"], said["flip"], said["amp"]) == (2, 16, True, "no")


def test_synthetic_images_and_naive_mixing_are_told_by_name_and_share(run):
    ran = run(*TRAIN, "--synthetic", "demo:digits", "-o", "sio")
    assert "synthetic images (SIO): 80 % of each batch were real images, alpha 0.8" in ran.out.splitlines()
    assert settings_of("sio")["alpha"] == 0.8
    ran = run(*TRAIN, "--synthetic", "demo:digits", "--alpha", "naive", "-o", "naive")
    assert "naive mixing: 50.0 % of each batch were real images, as if both sets had been poured together" in ran.out.splitlines()
    assert "note: naive mixing: 50.0 % of each batch are real images" in ran.err


def test_augdelete_is_told_before_and_after(run):
    ran = run(*TRAIN, "--augdelete", "-o", "run")
    result = json.loads(Path("run/training.json").read_text("utf-8"))["result"]
    before, after = (f"{100 * result['augdelete'][key]:.1f} %" for key in ("val_accuracy_before", "val_accuracy"))
    lines = ran.out.splitlines()
    assert f"accuracy on demo:digits:val: {after}, {before} before AugDelete" in lines
    assert "before AugDelete: run/before.safetensors" in lines
    assert "AugDelete: refitting the last layer on the 32 training images" in ran.err


def test_a_recipe_with_logits_of_its_own_says_so_and_what_judges_it(run):
    ran = run(*TRAIN, "--recipe", "vos", "-o", "run")
    assert any(line.startswith("its logits: ") for line in ran.out.splitlines())
    assert "its paper judges it by: ebo" in ran.out.splitlines()


def test_weights_that_are_missing_are_told_and_made_again(run):
    run(*TRAIN, "-o", "mine")
    whole = load_file("mine/model.safetensors")
    Path("mine/model.safetensors").unlink()
    again = run(*TRAIN, "-o", "mine")
    assert again.code == 0
    assert again.err.splitlines()[0] == "mine is finished, but its weights are missing: making them again"
    assert all(torch.equal(tensor, whole[name]) for name, tensor in load_file("mine/model.safetensors").items())


def test_without_validation_images_no_accuracy_is_told(run):
    ran = run("train", "test_resnet", "--data", "demo:digits:train", "--limit", "32", *QUICK, "-o", "run")
    assert "note: no validation images were given, so that no accuracy is told: --val SET" in ran.err.splitlines()
    assert "accuracy on" not in ran.out
    assert not Path("run/best.safetensors").exists()


def test_unreadable_images_and_hostile_names_are_told_harmlessly(run, image_folder):
    data = image_folder(each=4)
    (data / "cat" / "bad\x1b[2J.png").write_bytes(b"no image")
    ran = run("train", "test_resnet", "--data", str(data), *QUICK, "-o", "run")
    (line,) = [line for line in ran.out.splitlines() if "could not be read" in line]
    assert line.startswith(r"1 of 13 images could not be read: cat/bad\x1b[2J.png")
    assert "\x1b" not in ran.out + ran.err


def test_two_processes_train_together_and_one_of_them_speaks(tmp_path):
    """With gloo on the CPU."""
    train = [*TRAIN[2:], "-o", str(tmp_path / "run"), "--json"]
    (first, out, told), (second, *silent) = in_two("-m", "oodkit", "train", "test_vit", *train)
    assert (first, second) == (0, 0), told
    assert silent == ["", ""]
    document = json.loads(out)
    assert (document["status"], document["asked"]["processes"], document["result"]["steps"]) == ("finished", 2, 2)
    assert told.count("epoch 2 of 2") == 1
    assert (tmp_path / "run" / "model.safetensors").is_file()
