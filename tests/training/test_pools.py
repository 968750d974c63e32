"""The images that training draws from: labels that are missing are refused, synthetic classes are matched by name."""

import numpy as np
import pytest

from oodkit.errors import ImageSetError
from oodkit.images import open_images
from oodkit.images.arrays import ArraySet
from oodkit.training.pools import outlier_pool, real_pool, synthetic_pool, trained_labels

NAMES = ("cat", "dog", "fox")


def numbered(labels):
    """Images of one pixel, whose value is their position."""
    return ArraySet("set", np.arange(len(labels), dtype=np.uint8)[:, None, None], np.array(labels))


def kept(pool):
    """The position of each image in the set that it came from, and its label."""
    pixels = [pool.images.load(position).getpixel((0, 0))[0] for position in range(len(pool))]
    return list(zip(pixels, pool.labels.tolist(), strict=True))


def test_real_images_have_the_labels_of_their_set_unless_told_otherwise(image_folder):
    images = open_images(image_folder(each=2))
    assert real_pool(images).labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert real_pool(images, np.array([2, 2, 1, 1, 0, 0])).labels.tolist() == [2, 2, 1, 1, 0, 0]
    assert len(real_pool(images)) == 6


def test_real_images_without_labels_are_refused():
    with pytest.raises(ImageSetError) as refused:
        real_pool(numbered([0, -1, 1, -1]))
    way_out = "name a set with labels, such as a folder of class folders"
    assert str(refused.value) == f"training needs a label for each image: of the 4 of set 2 images have none, such as 1; {way_out}"


def test_outliers_are_of_no_class_whatever_their_set_says(image_folder):
    assert outlier_pool(open_images(image_folder())).labels.tolist() == [-1] * 12


def test_synthetic_classes_are_found_by_name_in_any_order(image_folder):
    pool, notes = synthetic_pool(open_images(image_folder(classes=("Fox", "cat", "dog"), each=2)), NAMES, 3)
    names = [pool.images.image_name(position).split("/")[0] for position in range(6)]
    assert [NAMES[label] for label in pool.labels] == [name.lower() for name in names]
    assert notes == []


def test_foreign_synthetic_classes_are_left_out_and_missing_ones_named(image_folder):
    folder = image_folder(classes=("cat", "emu", "fox"), each=2)
    pool, notes = synthetic_pool(open_images(folder), NAMES, 3)
    assert [pool.images.image_name(position) for position in range(4)] == ["cat/0.png", "cat/1.png", "fox/0.png", "fox/1.png"]
    assert pool.labels.tolist() == [0, 0, 2, 2]
    assert notes == [
        f"{folder}: 1 of 3 classes is none of the training images', such as 'emu'; label −1",
        f"{folder}: 2 images of no class that is trained left out",
        f"{folder}: no images of 1 of the 3 classes, such as 'dog'",
    ]


@pytest.mark.parametrize("classes", [("class0", "class1", "class2"), ("emu", "gnu")])
def test_synthetic_classes_of_other_names_are_refused_also_where_they_are_as_many(image_folder, classes):
    folder = image_folder(classes=classes, each=1)
    with pytest.raises(ImageSetError) as refused:
        synthetic_pool(open_images(folder), NAMES, 3)
    text = f"no class of {folder} is one of the training images': {classes[0]!r} here, {NAMES[0]!r} there; "
    assert str(refused.value) == text + "name its class folders as those of the training images"


def test_where_the_training_images_have_no_names_synthetic_classes_go_by_their_order(image_folder):
    pool, (note,) = synthetic_pool(open_images(image_folder(classes=("emu", "gnu", "yak"), each=1)), None, 3)
    assert pool.labels.tolist() == [0, 1, 2]
    assert "its 3 classes are matched by order" in note


def by_folder(pool):
    """The label that the images of each folder have in the end."""
    return {pool.images.image_name(place).split("/")[0]: label for place, label in enumerate(pool.labels.tolist())}


def test_folders_that_are_numbers_are_places_in_the_order_of_named_classes_and_the_note_says_so(image_folder):
    folder = image_folder(classes=("02", "1"), each=1)
    pool, notes = synthetic_pool(open_images(folder), NAMES, 3)
    assert by_folder(pool) == {"1": 1, "02": 2}
    assert notes == [
        f"{folder}: its class folders are numbers, taken for places in the class order: 1 is 'dog'",
        f"{folder}: no images of 1 of the 3 classes, such as 'cat'",
    ]
    ids_alone, (note, _) = synthetic_pool(open_images(folder), None, 3, ("n01", "n02", "n03"))
    assert (by_folder(ids_alone), note.endswith("1 is 'n02'")) == ({"1": 1, "02": 2}, True)


@pytest.mark.parametrize("classes", [("0", "1", "3", "2"), ("0", "3"), ("3", "00")])
def test_where_the_training_images_have_no_names_a_folder_that_is_a_number_is_the_label(image_folder, classes):
    images = open_images(image_folder(classes=classes, each=1))
    pool, notes = synthetic_pool(images, None, 4)
    assert by_folder(pool) == {name: int(name) for name in classes}
    assert all("no images of 2 of the 4 classes" in note for note in notes)
    assert trained_labels(images, None, 4)[0].tolist() == pool.labels.tolist()


@pytest.mark.parametrize("names", [None, ("cat", "dog", "fox", "owl")])
def test_numbers_never_go_by_their_order_also_where_they_are_as_many_as_the_classes(image_folder, names):
    folder = image_folder(classes=("0", "1", "2", "4"), each=1)
    with pytest.raises(ImageSetError) as refused:
        synthetic_pool(open_images(folder), names, 4)
    there = "there are 4 classes that are trained (0 to 3); name its class folders as those of the training images"
    assert str(refused.value) == f"{folder} has class folders of numbers up to 4, and {there}"


@pytest.mark.parametrize(("names", "told"), [(("5", "6", "7"), "'0' here, '5' there"), (("cat", "1", "fox"), None)])
def test_names_go_before_places_where_the_training_classes_are_numbers_too(image_folder, names, told):
    images = open_images(image_folder(classes=("0", "1", "2"), each=1))
    if told is None:
        assert by_folder(synthetic_pool(images, names, 3)[0]) == {"1": 1}
    else:
        with pytest.raises(ImageSetError, match=told):
            synthetic_pool(images, names, 3)


def test_synthetic_labels_without_names_are_numbers_of_the_classes():
    pool, notes = synthetic_pool(numbered([2, -1, 0, 2]), None, 4)
    assert kept(pool) == [(0, 2), (2, 0), (3, 2)]
    assert notes == ["set: 1 image of no class that is trained left out", "set: no images of 2 of the 4 classes, such as 1"]


def test_synthetic_images_without_a_label_are_refused():
    with pytest.raises(ImageSetError) as refused:
        synthetic_pool(numbered([-1, -1]), None, 3)
    way_out = "name its class folders as those of the training images"
    assert str(refused.value) == f"no image of set is of a class that is trained; {way_out}"


def test_synthetic_labels_that_are_too_large_are_refused():
    with pytest.raises(ImageSetError, match=r"set has labels up to 3, the model has 3 classes \(0 to 2\)"):
        synthetic_pool(numbered([0, 3]), None, 3)
