"""A fit leaves the folder that it promises, learns, and ends as if it had not been interrupted."""

import json
import os
import re
import signal
from shutil import copytree

import pytest
import torch
from PIL import Image

from oodkit import open_images
from oodkit.errors import CheckpointError, OodkitError, UsageError
from oodkit.synth.fit.fitted import FittedDiffusion
from oodkit.tensor_file import load_stored
from oodkit.training.log import read_log

from .tiny import STEPS, dark_and_bright, fitted, requests

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return dark_and_bright(tmp_path_factory.mktemp("sets") / "set")


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    return tmp_path_factory.mktemp("fits") / "killed"


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory, killed):
    """A fit that nothing disturbs; what lay on the disk in its middle is in ``killed``."""
    folder = tmp_path_factory.mktemp("fits") / "whole"
    return fitted(data, folder, progress=lambda reached: reached.step == STEPS + 2 and copytree(folder, killed))


def weights(folder):
    return load_stored(folder / WEIGHTS, "weights")[0]


def assert_same(one, other):
    found, expected = weights(one), weights(other)
    assert found.keys() == expected.keys()
    assert not [name for name in expected if not torch.equal(found[name], expected[name])]


def test_the_folder_holds_what_was_promised(whole):
    document = json.loads((whole / "fit.json").read_text())
    assert (document["kind"], document["status"], document["images"]) == ("synthesis-fit", "finished", 24)
    assert [one["folder"] for one in document["classes"]] == ["bright", "dark"]
    assert document["result"]["seconds"] > 0
    assert document["result"]["loss"] == read_log(whole)[-1]["loss"]
    with Image.open(whole / "samples.png") as picture:
        assert picture.size == (8 * (48 + 4) + 4, 2 * (48 + 4) + 4)


def test_diffusers_reads_the_folder(whole):
    from diffusers import EDMDPMSolverMultistepScheduler, UNet2DModel

    unet = UNet2DModel.from_pretrained(whole / "unet", low_cpu_mem_usage=False)
    assert all(tensor.equal(weights(whole)[name]) for name, tensor in unet.state_dict().items())
    scheduler = EDMDPMSolverMultistepScheduler.from_pretrained(whole / "scheduler")
    assert scheduler.config.sigma_data == json.loads((whole / "fit.json").read_text())["network"]["sigma_data"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_fit_goes_on_to_the_same_weights(data, whole, tmp_path, number):
    folder = tmp_path / "fit"
    with pytest.raises(KeyboardInterrupt, match=r"after step 4 \(epoch 2\) of 9: saved in"):
        fitted(data, folder, progress=lambda reached: os.kill(os.getpid(), number) if reached.step == 4 else None)
    assert json.loads((folder / "fit.json").read_text())["status"] == "unfinished"
    fitted(data, folder)
    assert_same(folder, whole)


def test_a_killed_fit_goes_on_to_the_same_weights(data, whole, killed):
    steps = []
    fitted(data, killed, progress=lambda reached: steps.append(reached.step))
    assert steps[0] == STEPS + 1
    assert_same(killed, whole)


def test_a_finished_fit_is_not_done_again(data, whole):
    before = (whole / WEIGHTS).stat().st_mtime_ns
    fitted(data, whole, progress=lambda _: pytest.fail("it trains"))
    assert (whole / WEIGHTS).stat().st_mtime_ns == before


def test_an_image_that_can_not_be_read_is_left_out_and_named(tmp_path):
    dark_and_bright(tmp_path / "set")
    (tmp_path / "set" / "dark" / "bad.png").write_bytes(b"no image")
    folder = fitted(open_images(str(tmp_path / "set")), tmp_path / "fit", epochs=1)
    unreadable = json.loads((folder / "fit.json").read_text())["unreadable"]
    assert len(unreadable) == 1
    assert next(iter(unreadable)).startswith("dark/bad.png")


def test_the_callers_generators_stay_as_they_are(data, tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    fitted(data, tmp_path / "fit", epochs=1)
    assert torch.rand(1).equal(expected)


def test_another_fit_into_the_folder_is_refused(data, whole):
    with pytest.raises(UsageError, match=r"holds another fit: lr 0\.001 there, 0\.01 here"):
        fitted(data, whole, lr=0.01)


@pytest.mark.parametrize("name", ["log.jsonl", "run.json", "cat/1.png", "notes\x1b[2J.txt"])
def test_a_folder_of_other_files_is_refused(data, tmp_path, name):
    """Of a training, of a synthesis, of images or of anything; what is hidden, such as a lock, stops nothing."""
    (tmp_path / "there" / name).parent.mkdir(parents=True)
    (tmp_path / "there" / name).touch()
    first = re.escape(name.split("/")[0].replace("\x1b", "\\x1b"))
    with pytest.raises(UsageError, match=rf"there holds other files, such as {first}, and no fit\.json; give another folder"):
        fitted(data, tmp_path / "there")


def test_a_folder_of_hidden_files_alone_is_empty(data, tmp_path):
    (tmp_path / ".lock").touch()
    assert FittedDiffusion(fitted(data, tmp_path, epochs=1), device="cpu").size == 8


def test_weights_that_are_missing_are_told_and_made_again(data, whole, tmp_path):
    folder = copytree(whole, tmp_path / "fit")
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=f"^the weights are missing: .*fit has no {WEIGHTS}; the same oodkit synth fit makes"):
        FittedDiffusion(folder, device="cpu")
    fitted(data, folder, progress=lambda _: pytest.fail("it trains"))
    assert_same(folder, whole)


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "synthesis-fit", "schema": 9}', '{"kind": "synthesis-fit", "schema": 1}'])
def test_a_damaged_fit_is_told(data, tmp_path, text):
    (tmp_path / "fit.json").write_text(text)
    with pytest.raises(UsageError, match=r"fit\.json .*give another folder"):
        fitted(data, tmp_path)


def test_a_full_disk_leaves_no_finished_fit(data, tmp_path, monkeypatch):
    def full(*_):
        raise OodkitError("can't write: No space left on device; free some space")

    monkeypatch.setattr("oodkit.synth.fit.stored.save_stored", full)
    with pytest.raises(OodkitError, match="No space left"):
        fitted(data, tmp_path / "fit", epochs=1)
    monkeypatch.undo()
    fitted(data, tmp_path / "fit", epochs=1)
    assert FittedDiffusion(tmp_path / "fit", device="cpu").size == 8


def test_it_learns_the_classes(data, tmp_path):
    """After some seconds the images of the bright class are bright, those of the dark one dark."""
    folder = fitted(data, tmp_path / "fit", epochs=45, batch_size=12, lr=6e-3)
    generator = FittedDiffusion(folder, device="cpu", steps=8)
    images = generator.generate(requests(generator.classes, 4)).float()
    bright, dark = images[0::2].mean().item(), images[1::2].mean().item()
    assert bright - dark > 50
