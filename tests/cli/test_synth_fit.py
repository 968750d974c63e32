"""``oodkit synth fit`` as a user sees it: what is printed where, which folder, how it goes on, and the generator at its end."""

import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import oodkit
from oodkit.synth.fit import run as run_module

QUICK = ("--epochs", "2", "--batch-size", "8", "--channels", "8", "--workers", "0", "--device", "cpu", "--amp", "no", "--no-flip")
FIT = ("synth", "fit", "--data", "photos", *QUICK)
FEW = "note: the training has fewer than 500 steps, "


@pytest.fixture(autouse=True)
def photos(tmp_path):
    """Twelve images of 8 × 8 pixels, of three classes."""
    rng = np.random.default_rng(0)
    for number in range(12):
        folder = tmp_path / "photos" / ("cat", "dog", "red panda")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{number}.png")


@contextmanager
def interrupted(number=signal.SIGINT):
    """While open, a fit stops as by Ctrl-C, or by another signal, after one step."""
    learn = run_module.learn

    def stopped(*arguments, progress=None, **options):
        def stop(reached):
            if progress is not None:
                progress(reached)
            os.kill(os.getpid(), number)

        return learn(*arguments, progress=stop, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "learn", stopped)
        yield


def test_the_result_goes_to_stdout_and_the_way_there_to_stderr(run):
    ran = run(*FIT)
    folder = "oodkit-runs/synth-fit-001"
    assert ran.code == 0, ran.err
    first, *lines = ran.out.splitlines()
    assert first.startswith("a generator of 8 × 8 pixels, trained on 12 images of 3 classes for 2 epochs, in ")
    assert lines == [
        f"samples: {folder}/samples.png",
        f"make images with it: oodkit synth --model {folder} --per-class 100",
    ]
    told = ran.err.splitlines()
    assert told[0] == f"training into {folder}"
    assert told[1].startswith(FEW)
    assert told[2].startswith("a U-Net of ")
    assert [line.partition(":")[0] for line in told[3:]] == ["epoch 1 of 2", "epoch 2 of 2"]


def test_one_of_a_kind_is_told_as_one(run, tmp_path):
    (tmp_path / "one" / "cat").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "one" / "cat" / "1.png")
    ran = run(*FIT, "--data", "one", "--epochs", "1", "--seed", str(2**63 - 1))
    assert ran.out.startswith("a generator of 8 × 8 pixels, trained on 1 image of 1 class for 1 epoch, in "), ran.err
    assert ": 8 × 8 pixels, 1 class; 1 epoch, 1 step\n" in ran.err


def test_what_it_left_makes_images_and_the_train_command_names_its_data(run):
    run(*FIT, "-o", "mine", "-q")
    ran = run("synth", "--model", "mine", "--per-class", "2", "--device", "cpu", "--generator-arg", "steps=2", "-o", "made")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[-1] == "train with them: oodkit train ARCH --data photos --no-flip --synthetic made --alpha 0.8"
    images = oodkit.open_images("made")
    assert (images.class_names, len(images)) == (oodkit.open_images("photos").class_names, 6)
    assert images.load(0).size == (8, 8)


def test_json_is_the_fits_own_document_and_quiet_prints_the_folder_alone(run):
    ran = run(*FIT, "-o", "mine", "--json")
    assert json.loads(ran.out) == json.loads(Path("mine/fit.json").read_text("utf-8"))
    assert run(*FIT, "-o", "other", "-q")[1:] == ("other\n", "")


def test_the_same_command_goes_on_where_ctrl_c_ended_it_and_trains_nothing_twice(run):
    with interrupted():
        ran = run(*FIT)
    folder = "oodkit-runs/synth-fit-001"
    assert (ran.code, ran.out) == (130, "")
    last = ran.err.splitlines()[-1]
    assert last == f"interrupted after step 1 (epoch 1) of 4: saved in {folder}; the same command goes on from there"
    ran = run(*FIT)
    assert ran.err.splitlines()[0] == f"{folder} is unfinished: going on from step 1"
    again = run(*FIT)
    assert (again.code, again.out) == (0, ran.out)
    assert again.err.splitlines()[0] == f"{folder} is finished: nothing is trained again; another --seed or -o DIR trains anew"
    assert run(*FIT, "--seed", "1", "-q").out == "oodkit-runs/synth-fit-002\n"
    refused = run(*FIT, "--seed", "1", "-o", folder)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert f"{folder} holds another fit: seed 0 there, 1 here" in refused.err


def test_weights_that_are_missing_are_told_and_made_again(run):
    first = run(*FIT, "-o", "mine")
    Path("mine/unet/diffusion_pytorch_model.safetensors").unlink()
    again = run(*FIT, "-o", "mine")
    assert (again.code, again.out) == (0, first.out)
    assert again.err.splitlines()[0] == "mine is finished, but its weights are missing: making them again"


def test_the_exit_code_is_that_of_the_signal(run):
    with interrupted(signal.SIGTERM):
        assert run(*FIT).code == 143


def test_an_image_that_can_not_be_read_is_counted_and_named(run, tmp_path):
    (tmp_path / "photos" / "cat" / "torn.png").write_bytes(b"no image")
    ran = run(*FIT)
    assert ran.code == 0, ran.err
    assert "could not be read: cat/torn.png of photos: not an image" in ran.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--data", "nowhere"), 3, "no folder or file nowhere"),
        (("--data", "demo:digits-unseen"), 3, "demo:digits-unseen"),
        (("--lr", "nan"), 2, "--lr takes a finite number, got nan"),
        (("--lr", "0"), 2, "lr must be a number above 0, got 0.0"),
        (("--seed", "99999999999999999999"), 2, "seed must be from 0 to 9223372036854775807, got 99999999999999999999"),
        (("--channels", "9"), 2, "channels, the width of the network, is a multiple of 8, got 9"),
        (("--size", "7"), 2, "7"),
        (("--device", "cuda:77"), 2, "no device 'cuda:77' here"),
        (("--amp", "fp16"), 2, "--amp fp16 needs a GPU"),
        (("-o", "photos/cat/0.png"), 2, "photos/cat/0.png"),
    ],
)
def test_what_can_not_be_fitted_is_one_line(run, words, code, message):
    ran = run(*FIT, *words)
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert message in ran.err.splitlines()[-1]
    assert ran.err.count("error:") == 1
    assert not list(Path("oodkit-runs").glob("*"))


def test_several_processes_need_a_folder_by_name(run, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    ran = run(*FIT)
    assert (ran.code, ran.err) == (2, "error: several processes write into one folder: name it, -o DIR\n")
