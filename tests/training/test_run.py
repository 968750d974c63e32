"""A run's folder holds what was promised, and an interrupted run ends as if it had not been interrupted."""

import os
import random
import signal
import sys
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from PIL import Image

import oodkit
from oodkit import open_images
from oodkit.errors import OodkitError, UsageError
from oodkit.training import run as run_module
from oodkit.training.folder import alone_in, trained_on
from oodkit.training.log import read_log

from .small import STEPS, assert_same_weights, digits, said, trained


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What lay on the disk in the middle of the run of ``whole``, as a process that is killed there leaves it."""
    return tmp_path_factory.mktemp("runs") / "killed"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, killed):
    """The folder of a run that was not interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    trained(folder, progress=lambda reached: reached.step == 5 and copytree(folder, killed))
    return folder


def never(*_args, **_kwargs):
    raise AssertionError("it was trained")


def test_the_folder_holds_all_that_was_asked_for_and_what_came_of_it(whole):
    names = {path.name for path in whole.iterdir()} - {".lock"}
    assert names == {"training.json", "log.jsonl", "last.safetensors", "best.safetensors", "model.safetensors"}
    document, log = said(whole), [line for line in read_log(whole) if "epoch" in line]
    assert document["status"] == "finished"
    assert document["asked"]["settings"] | {"epochs": 3, "batch_size": 16, "lr": 0.1, "seed": 0} == document["asked"]["settings"]
    assert (document["asked"]["recipe"], document["asked"]["start"]) == ("v1", "timm:test_resnet")
    assert document["asked"]["sets"]["data"] == {"spec": "demo:digits:train", "fingerprint": digits().fingerprint()}
    assert document["images"] == {"data": 48, "val": 24}
    assert set(document["versions"]) == {"oodkit", "torch", "torchvision", "timm", "accelerate"}
    assert [line["step"] for line in log] == [STEPS, 2 * STEPS, 3 * STEPS]
    assert document["result"]["loss"] == log[-1]["loss"]
    assert document["result"]["val_accuracy"] == log[-1]["val_accuracy"]
    assert document["result"]["best"]["val_accuracy"] == max(line["val_accuracy"] for line in log)


def test_the_trained_network_is_a_model_like_any_other_and_has_the_accuracy_that_was_told(whole):
    model = oodkit.load_classifier(f"local-dir:{whole}")
    found = oodkit.extract(model, digits("val", 24), cache=False, workers=0, device="cpu")
    assert (found.predictions() == found.labels).double().mean().item() == said(whole)["result"]["val_accuracy"]
    assert model.class_names == tuple("01234567")
    assert model.about["recipe"]["name"] == "v1"
    assert trained_on(f"local-dir:{whole}") == "demo:digits:train"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_to_the_same_weights(whole, tmp_path, number):
    interrupt = lambda reached: os.kill(os.getpid(), number) if reached.step == 4 else None  # noqa: E731
    with pytest.raises(KeyboardInterrupt, match=r"after step 4 \(epoch 2\) of 9: saved in .*; the same command goes on"):
        trained(tmp_path, progress=interrupt)
    assert said(tmp_path)["status"] == "unfinished"
    assert not (tmp_path / "model.safetensors").exists()
    trained(tmp_path)
    for name in ("model.safetensors", "best.safetensors"):
        assert_same_weights(tmp_path / name, whole / name)
    steps, results = zip(
        *(([line["step"] for line in read_log(one)], said(one)["result"]) for one in (tmp_path, whole)), strict=True
    )
    assert steps[0] == steps[1]
    assert results[0] | dict.fromkeys(("seconds", "images_per_second")) == results[1] | dict.fromkeys(
        ("seconds", "images_per_second")
    )


def test_a_killed_run_goes_on_to_the_same_weights(whole, killed):
    assert said(killed)["status"] == "unfinished"
    assert read_log(killed)[-1]["step"] == STEPS
    steps = []
    trained(killed, progress=lambda reached: steps.append(reached.step))
    assert steps[0] == STEPS + 1
    assert_same_weights(killed / "model.safetensors", whole / "model.safetensors")


def test_a_finished_run_is_loaded_and_not_trained_again(whole, monkeypatch):
    monkeypatch.setattr(run_module, "learn", never)
    assert trained(whole).name == f"local-dir:{whole}"


def test_another_training_in_the_folder_is_refused_with_what_differs(whole, monkeypatch):
    monkeypatch.setattr(run_module, "learn", never)
    for changes, difference in (
        ({"lr": 0.05}, "lr 0.1 there, 0.05 here"),
        ({"recipe": "label-smoothing"}, "recipe v1 there, label-smoothing here"),
        ({"val": None}, "val demo:digits:val there, none here"),
        ({"data": digits(limit=40)}, "the images of data, demo:digits:train, have changed since"),
        ({"arch": "test_vit"}, "start timm:test_resnet there, timm:test_vit here"),
        ({"batch_size": 8, "seed": 1}, "batch size 16 there, 8 here; seed 0 there, 1 here"),
    ):
        with pytest.raises(UsageError) as refused:
            trained(whole, **changes)
        assert f"{whole} holds another training: " in str(refused.value)
        assert difference in str(refused.value)
        assert str(refused.value).endswith("; ask for the same again, or give another folder")


def test_a_run_that_never_saved_anything_may_be_begun_otherwise(tmp_path):
    with pytest.raises(OodkitError, match="the loss became"):
        trained(tmp_path, lr=1e30, epochs=1)
    trained(tmp_path, epochs=1)
    assert said(tmp_path)["asked"]["settings"]["lr"] == 0.1


@pytest.mark.parametrize("name", ["model.safetensors", "log.jsonl", "training.json", "config.json"])
def test_files_that_are_no_runs_are_left_alone(tmp_path, monkeypatch, name):
    monkeypatch.setattr(run_module, "learn", never)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=rf"{name} (and|is damaged or) no training of oodkit's.*; give another folder"):
        trained(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_two_processes_do_not_train_into_one_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "learn", never)
    with alone_in(tmp_path), pytest.raises(UsageError, match=r"another process is training into .*; wait for it"):
        trained(tmp_path)


def test_a_full_disk_is_one_line_and_keeps_what_was_saved(tmp_path, monkeypatch):
    replace = Path.replace

    def full(self, target):
        if Path(target).name == "last.safetensors" and Path(target).exists():
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OodkitError, match=r"can't write .*last.safetensors: No space left on device; free some space"):
        trained(tmp_path)
    monkeypatch.undo()
    assert said(tmp_path)["status"] == "unfinished"
    steps = []
    trained(tmp_path, progress=lambda reached: steps.append(reached.step))
    assert steps[0] == STEPS + 1


def test_the_callers_generators_are_afterwards_as_before(tmp_path):
    def drawn(between=lambda: None):
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)  # noqa: NPY002
        between()
        return torch.rand(1).item(), random.random(), np.random.rand()  # noqa: NPY002

    sets = {"data": digits(), "val": digits("val", 24)}
    assert drawn(lambda: trained(tmp_path, epochs=1, **sets)) == drawn()


def test_unreadable_images_are_counted_with_their_names(tmp_path, image_folder):
    data = image_folder(each=8)
    (data / "cat" / "broken.png").write_bytes(b"no image")
    trained(tmp_path / "run", data=open_images(data), val=None, epochs=1, batch_size=4)
    ((name, reason),) = said(tmp_path / "run")["unreadable"].items()
    assert name.startswith("cat/broken.png")
    assert reason


def test_a_network_needs_no_pixels_of_its_own_size(tmp_path):
    """Images of 8 × 8 and of a few other shapes become squares of 32."""
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number, size in enumerate([(8, 8), (40, 20), (20, 50)]):
            Image.new("RGB", size, (90 * number, 0, 255 * (name == "a"))).save(tmp_path / "data" / name / f"{number}.png")
    assert trained(tmp_path / "run", data=open_images(tmp_path / "data"), val=None, epochs=1, batch_size=2).input_size == (
        3,
        32,
        32,
    )


def test_a_run_that_can_not_begin_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    (tmp_path / "made").mkdir()
    for name in ("made", "other"):
        with pytest.raises(UsageError, match="TensorBoard is not installed"):
            trained(tmp_path / name, tensorboard=True)
        with pytest.raises(UsageError, match="recipe mos needs at most as many groups"):
            trained(tmp_path / name, "mos:groups=9")
    assert list(tmp_path.iterdir()) == []


def test_a_classifier_that_is_trained_on_stays_as_it_is(tmp_path):
    start = oodkit.load_classifier("demo:digits-v1")
    before = start.weights_hash()
    model = trained(tmp_path, arch=start, epochs=1, input_size=None)
    assert start.weights_hash() == before
    assert model.weights_hash() != before
    assert not start.net.training
