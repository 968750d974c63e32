"""Images that are in two sets of a run: withheld from what is learnt where they are tested on, and told of."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oodkit.cli.inputs import SetNames, Sets
from oodkit.cli.overlaps import told_apart
from oodkit.errors import UsageError
from oodkit.images import open_images
from oodkit.images.arrays import ArraySet

NAMES = SetNames("id", fit="train", val="val")


def noise(root: Path, names: dict[str, int]):
    """PNG files, by name of the noise that this seed gives."""
    for name, seed in names.items():
        file = root / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(file)
    return open_images(root)


@pytest.fixture
def sets(tmp_path) -> Sets:
    """Five ID images; of four training images two, of three validation images one, and of the OOD images some are others'."""
    return Sets(
        id_test=noise(tmp_path / "id", {"a/0": 0, "a/1": 1, "b/2": 2, "b/3": 3, "b/4": 4}),
        ood={
            "close": noise(tmp_path / "close", {"x": 20, "y": 21, "z": 3}),
            "far off": noise(tmp_path / "far", {"v": 21, "w": 11}),
        },
        groups={"close": "near", "far off": "far"},
        fit=noise(tmp_path / "train", {"a/new": 10, "a/old": 1, "b/new": 11, "b/old": 4}),
        val=noise(tmp_path / "val", {"a/1": 1, "a/5": 30, "b/6": 31}),
        notes={"fit": ["said before"]},
    )


def test_what_two_sets_share_is_told_and_not_learnt_from_where_it_is_tested_on(sets):
    found = told_apart(sets, NAMES, quiet=True)
    assert [found.fit.image_name(row) for row in range(len(found.fit))] == ["a/new.png", "b/new.png"]
    assert found.fit.labels.tolist() == [0, 1]
    assert found.notes == {
        "fit": [
            "said before",
            (
                "2 of 5 ID test images are among the training images, such as a/1.png, there a/old.png: only the other 2 of 4 "
                "training images are learnt from; if the network was trained on them, its accuracy and AUROC are too good"
            ),
        ],
        "val": ["1 of 3 images are in --id too, such as a/1.png: what is learnt from them is tested on them"],
        "close": ["1 of 3 images are in --id too, such as z.png, there b/3.png: they are not OOD"],
        "far off": [
            "1 of 2 images are in --train too, such as w.png, there b/new.png: they are not OOD",
            "1 of 2 images are in close too, such as v.png, there y.png: they count in both",
        ],
    }
    assert (found.id_test, found.val, found.ood) == (sets.id_test, sets.val, sets.ood)
    assert sets.notes == {"fit": ["said before"]}


def test_sets_that_share_nothing_stay_as_they_are(sets, tmp_path):
    apart = replace(sets, ood={"close": noise(tmp_path / "own", {"x": 40})}, fit=None, val=None)
    assert told_apart(apart, NAMES, quiet=True) is apart


def test_training_images_of_which_none_is_left_are_refused(sets, tmp_path):
    copied = replace(sets, fit=noise(tmp_path / "copy", {"a/0": 0, "b/2": 2}))
    with pytest.raises(UsageError) as error:
        told_apart(copied, NAMES, quiet=True)
    assert str(error.value) == (
        "2 of 5 ID test images are among the training images, such as a/0.png, and there are no other training images: "
        "give ID test images that are not learnt from"
    )


def test_a_benchmark_is_left_as_it_was_published_but_for_ones_own_sets(sets):
    published = SetNames(benchmark="cifar10")
    assert told_apart(sets, published, quiet=True) is sets
    assert told_apart(sets, replace(published, fit="none"), quiet=True) is sets
    found = told_apart(sets, replace(published, fit="train"), quiet=True)
    assert (len(found.fit), set(found.notes)) == (2, {"fit", "far off"})


def test_sets_without_files_are_not_decoded(sets, monkeypatch):
    pixels = ArraySet("pixels", np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1]))
    monkeypatch.setattr(ArraySet, "load", lambda *_: pytest.fail("decoded"))
    plain = replace(sets, fit=pixels, val=pixels, ood={"close": pixels})
    assert told_apart(plain, NAMES, quiet=True) is plain


# the commands


@pytest.fixture
def leaking(tmp_path) -> tuple[str, ...]:
    """The demo's digits as files, 10 of each class to learn from and all 16 ID images among them."""
    train, tested = (open_images(f"demo:digits:{split}") for split in ("train", "test"))

    def save(images, rows, root, name):
        for row in rows:
            file = tmp_path / root / str(images.labels[row]) / f"{name}{row}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            images.load(int(row)).save(file)

    def of_each_class(images, count):
        return np.concatenate([np.flatnonzero(images.labels == label)[:count] for label in range(8)])

    save(tested, of_each_class(tested, 2), "id", "")
    save(tested, of_each_class(tested, 2), "train", "copied")
    save(train, of_each_class(train, 10), "train", "")
    return ("--id", "id", "--far", "patches=demo:photo-patches", "--train", "train", "--workers", "0", "--device", "cpu", "--json")


@pytest.mark.parametrize("command", ["diagnose", "augdelete"])
def test_what_is_tested_on_is_not_learnt_from(run, leaking, command):
    words = ("--scorer", "mls", "--scorer", "knn:k=1", "--baseline", "none")
    ran = run(command, "demo:digits-v2", *leaking, *words, *(("--frac", "0.5") if command == "augdelete" else ()))
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    (fit,) = [one for one in document["sets"] if one["name"] == "fit"]
    assert fit["images"] == (80 if command == "diagnose" else 40)
    found = "16 of 16 ID test images are among the training images, such as 0/"
    assert fit["notes"][0].startswith(found)
    assert "only the other 80 of 96 training images are learnt from" in fit["notes"][0]
    assert len(fit["notes"]) == (1 if command == "diagnose" else 2)
