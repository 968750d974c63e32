"""A whole OpenOOD benchmark in miniature, from the command line."""

import json

import numpy as np
import pytest
from PIL import Image

NET = """
import torch

def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 12), torch.nn.ReLU(), torch.nn.Linear(12, 10))
"""
OOD = ("cifar100", "tin", "mnist", "svhn", "texture", "places365")


@pytest.fixture
def root(tmp_path):
    """OpenOOD's folders and lists for CIFAR-10: ten images a set, one a class where there are classes."""
    rng = np.random.default_rng(0)
    inside, outside = (f"{split}_cifar10" for split in ("train", "val", "test")), ("val_tin", *(f"test_{name}" for name in OOD))
    names = {**dict.fromkeys(inside, True), **dict.fromkeys(outside, False)}
    for name, labelled in names.items():
        folder = tmp_path / "data" / "images_classic" / name
        folder.mkdir(parents=True)
        lines = []
        for i in range(10):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{i}.png")
            lines.append(f"{name}/{i}.png {i if labelled else -1}\n")
        listed = tmp_path / "data" / "benchmark_imglist" / "cifar10" / f"{name}.txt"
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_text("".join(lines))
    (tmp_path / "net.py").write_text(NET)
    return tmp_path / "data"


MODEL = ("diagnose", "py:net.py:net", "--input-size", "8", "--workers", "0", "--json")


def test_a_bare_model_finds_the_benchmark_of_its_number_of_classes(run, root, monkeypatch):
    """Where the environment says, in which no shell puts the home folder for ``~``."""
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("OODKIT_DATA", "~/data")
    document = json.loads(run(*MODEL).out)
    roles = {one["name"]: one["role"] for one in document["sets"]}
    assert roles == {"id": "id", "fit": "fit", "val": "val", **dict.fromkeys(OOD[:2], "near"), **dict.fromkeys(OOD[2:], "far")}
    rows = {row["ood_set"] for row in document["models"][0]["results"]}
    assert {"near mean", "far mean", "mean"} < rows


def test_one_that_is_named_needs_the_folder_of_its_images(run, root):
    ran = run(*MODEL, "--benchmark", "cifar10")
    told = "error: no folder to look in for cifar10: give --data-root DIR or set OODKIT_DATA\n"
    assert (ran.code, ran.err) == (2, told)


def test_its_training_images_can_be_left_out(run, root):
    document = json.loads(run(*MODEL, "--benchmark", "cifar10", "--data-root", str(root), "--fit", "none").out)
    assert "fit" not in {one["name"] for one in document["sets"]}
    assert next(row for row in document["models"][0]["results"] if row["scorer"] == "knn")["reason"]


def test_others_can_take_their_place(run, root):
    (root / "benchmark_imglist" / "cifar10" / "train_cifar10.txt").unlink()
    ran = run(*MODEL, "--benchmark", "cifar10", "--data-root", str(root))
    assert ran.code == 3
    assert "train_cifar10.txt" in ran.err
    assert "oodkit data check cifar10" in ran.err
    own_list = root / "images_classic" / "own.txt"
    own_list.write_text((root / "benchmark_imglist" / "cifar10" / "val_cifar10.txt").read_text())
    assert run(*MODEL, "--benchmark", "cifar10", "--data-root", str(root), "--fit", str(own_list)).code == 0


def test_its_own_ood_validation_images_choose_settings(run, root, tmp_path):
    benchmark = ("--benchmark", "cifar10", "--data-root", str(root), "--scorer", "react", "--scorer", "msp")
    document = json.loads(run(*MODEL, *benchmark, "--tune", "benchmark").out)
    assert {one["name"] for one in document["sets"] if one["role"] == "tune"} == {"val_tin"}
    (search,) = document["models"][0]["tuning"]
    assert (search["scorer"], search["sets"], search["n_id"], search["n_ood"]) == ("react", ["val_tin"], 10, 10)
    np.savez(tmp_path / "own.npz", images=np.random.default_rng(7).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8))
    document = json.loads(run(*MODEL, *benchmark, "--tune", "benchmark", "--tune", "own=own.npz").out)
    assert document["models"][0]["tuning"][0]["sets"] == ["val_tin", "own"]
    inputs = document["inputs"]["sets"]
    assert (inputs["tune"], inputs["tune_benchmark"]) == ({"own": "own.npz"}, True)


def test_an_image_of_its_test_sets_under_another_name_is_refused(run, root):
    images = root / "images_classic"
    (images / "val_tin" / "3.png").write_bytes((images / "test_svhn" / "8.png").read_bytes())
    ran = run(*MODEL, "--benchmark", "cifar10", "--data-root", str(root), "--tune", "benchmark")
    assert ran.code == 2
    message = " ".join(ran.err.split())
    assert "1 of 10 images of --tune val_tin are in --far svhn too, such as val_tin/3.png, there test_svhn/8.png; " in message


def test_a_set_to_choose_on_has_a_name_of_its_own(run, root):
    ran = run(*MODEL, "--benchmark", "cifar10", "--data-root", str(root), "--tune", f"svhn={root / 'images_classic' / 'val_tin'}")
    assert ran.code == 2
    assert "'svhn' is a set of cifar10 already; give --tune another name" in ran.err


def test_a_benchmark_of_another_number_of_classes_is_refused(run, root):
    ran = run("diagnose", "demo:digits-v1", "--benchmark", "cifar10", "--data-root", str(root), "--workers", "0")
    assert ran.code == 3
    assert "labels up to 9, the model has 8 classes" in ran.err
