"""Labels in the model's class order."""

import numpy as np
import pytest

from oodkit.errors import ImageSetError
from oodkit.images.arrays import ArraySet
from oodkit.images.classes import align_labels

NAMES = ("tench, Tinca tinca", "crane", "tabby cat", "crane")
IDS = ("n01440764", "n03126707", "n02123045", "n02012849")


def labelled(labels, class_names=None):
    return ArraySet("set", np.zeros((len(labels), 1, 1), dtype=np.uint8), np.array(labels), class_names)


def aligned(labels, class_names, names=NAMES, ids=IDS, num_classes=4):
    result, note = align_labels(labelled(labels, class_names), names, ids, num_classes)
    assert result.dtype == np.int64
    return result.tolist(), note


def test_class_folders_are_found_by_wordnet_id():
    assert aligned([0, 1, 1, 2], ("n02012849", "n01440764", "n02123045")) == ([3, 0, 0, 2], None)


@pytest.mark.parametrize("folder", ["tench, Tinca tinca", "Tench", "TENCH,_tinca_TINCA", "tench, something else"])
def test_a_name_is_found_whole_or_by_its_first_synonym_in_any_case(folder):
    assert aligned([0, 1], (folder, "Tabby_Cat")) == ([0, 2], None)


def test_a_name_that_two_classes_share_is_neither():
    """ImageNet has a crane that flies and one that lifts."""
    labels, note = aligned([0, 1], ("crane", "tench"))
    assert labels == [-1, 0]
    assert note == "set: 1 of 2 classes is none of the model's, such as 'crane'; label −1"


def test_an_exact_name_goes_before_a_first_synonym():
    assert aligned([0], ("cat",), names=("cat, wild", "cat"), ids=None, num_classes=2) == ([1], None)


def test_unmatched_folders_are_no_class_and_images_of_none_stay_of_none():
    labels, note = aligned([1, 0, -1], ("n01440764", "unheard of"))
    assert labels == [-1, 0, -1]
    assert "1 of 2 classes" in note


def test_as_many_unknown_names_as_classes_are_matched_by_order_and_the_note_says_so():
    labels, note = aligned([0, 3, -1], ("0", "1", "2", "3"))
    assert labels == [0, 3, -1]
    assert "matched by order ('0' is taken for class 0, 'tench, Tinca tinca')" in note


def test_order_decides_for_a_model_without_names():
    labels, note = aligned([1, 0], ("cat", "dog"), names=None, ids=None, num_classes=2)
    assert labels == [1, 0]
    assert "matched by order" in note


def test_where_text_has_another_order_than_numbers_the_note_says_what_imagefolder_has():
    """As ``sorted`` has them, which is what torchvision.datasets.folder.find_classes does."""
    names = tuple(map(str, range(11)))
    labels, note = aligned([0, 2, 10], names, names=None, ids=None, num_classes=11)
    assert labels == [0, 2, 10]
    assert note.endswith(
        "('0' is taken for class 0), which is that of numbers; torchvision's ImageFolder has 0, 1, 10, …: "
        "a letter before each name gives that order"
    )
    assert sorted(f"c{name}" for name in names) == [f"c{name}" for name in sorted(names)]
    for same in (names[:10], tuple(f"{number:02}" for number in range(11)), tuple("kjihgfedcba")):
        _, note = aligned([0], same, names=None, ids=None, num_classes=len(same))
        assert "ImageFolder" not in note


def test_unknown_names_of_another_number_are_no_classes():
    assert aligned([0, 1], ("banded", "dotted")) == ([-1, -1], None)


def test_labels_without_names_are_taken_as_they_are():
    assert aligned([3, -1, 0], None) == ([3, -1, 0], None)


def test_a_label_without_a_name_beyond_the_last_class_is_an_error():
    with pytest.raises(ImageSetError, match=r"set has labels up to 4, the model has 4 classes \(0 to 3\)"):
        aligned([4], None)


def test_the_set_s_own_labels_stay_untouched():
    images = labelled([0, 1], ("n02123045", "n01440764"))
    result, _ = align_labels(images, NAMES, IDS, 4)
    result[:] = -1
    assert images.labels.tolist() == [0, 1]
