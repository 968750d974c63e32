"""Labels of an ID set that fit no class of the model are refused with what is there and what to do."""

import shutil

import pytest
import torch
from PIL import Image

from oodkit.classifier import load_classifier

V1 = "demo:digits-v1"
SHAPE = ("--arch", "test_resnet", "--input-size", "32", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5", "--device", "cpu")


def folders(root, *names) -> str:
    for name in names:
        (root / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / name / "a.png")
    return root.name


@pytest.fixture
def bare(tmp_path) -> tuple[str, ...]:
    """A model that names none of its 8 classes."""
    torch.save(load_classifier(V1).net.state_dict(), tmp_path / "bare.pth")
    return ("bare.pth", *SHAPE)


def refused(run, model, *words) -> str:
    ran = run("diagnose", *model, *words, "--far", "x=demo:photo-patches", "--workers", "0")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1), ran.err
    return ran.err


def test_a_missing_class_of_a_model_without_names_takes_an_empty_folder(run, bare, tmp_path):
    miss = folders(tmp_path / "miss", *"0124567")
    assert refused(run, bare, "--id", miss) == (
        "error: 7 of 7 images of miss belong to none of the 8 classes of bare.pth: miss has 7 class folders (0, 1, 2, …), and the "
        "model 8 classes without names; give a folder for each class, in the model's order: an empty folder for each missing class "
        "keeps the order\n"
    )
    (tmp_path / "miss" / "3").mkdir()
    ran = run("diagnose", *bare, "--id", miss, "--far", "x=demo:photo-patches", "--limit", "7", "--workers", "0")
    assert (ran.code, "its 8 classes are matched by order" in ran.out) == (0, True), ran.err


def test_folders_beyond_the_classes_are_to_be_taken_out(run, bare, tmp_path):
    assert "in the model's order: take the others out" in refused(run, bare, "--id", folders(tmp_path / "more", *"012345678"))


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_above_the_sets_is_told_to_go_a_level_down(run, bare, tmp_path, named):
    root = folders(tmp_path / "digits", *(f"{split}/{name}" for split in ("train", "val", "test") for name in "01234567"))
    model = (V1,) if named else bare
    hint = (
        "its folders (test, train, val) hold folders of images: if those are the classes, name a set a level down, such as digits"
    )
    assert f"; {hint}/test\n" in refused(run, model, "--id", root)
    assert f"; {hint}/train\n" in refused(run, model, "--id", "digits/test", "--train", f"{root}/")
    shutil.rmtree(tmp_path / "digits" / "test")
    assert "(train, val) hold folders of images" in refused(run, model, "--id", root)


def test_names_that_are_the_set_s_are_called_so(run, tmp_path):
    message = refused(run, (V1,), "--id", folders(tmp_path / "pets", "cat", "dog", "fox", "3"))
    assert (
        "3 of 4 images of pets belong to none of the 8 classes of demo:digits-v1 (the set has 3, cat, dog, …); name the" in message
    )


def test_images_without_labels_are_asked_for_class_folders(run, tmp_path):
    (tmp_path / "flat").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "flat" / "a.png")
    assert "(they have no labels); give class folders, named as the model names its classes\n" in refused(
        run, (V1,), "--id", "flat"
    )
