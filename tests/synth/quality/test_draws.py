"""Which images are compared: as many of each class, the same for a seed, no real one on both sides."""

import numpy as np
import pytest

from oodkit.errors import ImageSetError
from oodkit.images import open_images
from oodkit.synth.quality.choosing import halves
from oodkit.synth.quality.draws import Classes, equal_counts, places_in_class, require_enough, shuffled

LABELS = np.array([1, 0, 1, -1, 0, 1, 1, 0])


def test_every_class_gives_what_the_poorest_set_has_and_real_images_count_half():
    real, sets = np.array([10, 7, 4]), {"one": np.array([9, 2, 9]), "two": np.array([4, 9, 0])}
    assert equal_counts(real, sets, 100).tolist() == [4, 2, 0]


def test_a_count_is_shared_by_class_and_met():
    """10 of (12, 6, 3): 5.7, 2.9 and 1.4 are cut to 5, 2 and 1; the two left go to the largest remainders."""
    real, sets = np.array([24, 12, 6]), {"one": np.array([12, 6, 3])}
    assert equal_counts(real, sets, 10).tolist() == [6, 3, 1]


def test_the_halves_have_as_many_of_each_class_and_no_image_in_common():
    first, second = halves(LABELS, np.array([1, 2]), seed=3)
    assert LABELS[first].tolist() == LABELS[second].tolist() == [0, 1, 1]
    assert not set(first) & set(second)


def test_a_seed_always_draws_the_same_and_another_others():
    labels = np.zeros(100, dtype=int)
    assert shuffled(labels, 1).tolist() == shuffled(labels, 1).tolist()
    assert shuffled(labels, 1).tolist() != shuffled(labels, 2).tolist()


def test_images_without_a_class_are_not_drawn():
    order = shuffled(LABELS, 0)
    assert sorted(order) == [0, 1, 2, 4, 5, 6, 7]
    assert LABELS[order].tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_places_begin_anew_in_every_class():
    assert places_in_class(np.array([0, 0, 2, 2, 2, 5])).tolist() == [0, 1, 0, 1, 2, 0]


def test_classes_are_found_by_name_in_the_real_sets_order(image_folder):
    real = open_images(image_folder("real", ("cat", "dog", "fox")))
    other = open_images(image_folder("other", ("Dog", "wolf", "fox"), each=2))
    labels, note = Classes.of(real).labels_of(other)
    names = [(other.class_names or ())[label] for label in other.labels]
    assert [("cat", "dog", "fox")[label] if label >= 0 else None for label in labels] == [
        None if name == "wolf" else name.casefold() for name in names
    ]
    assert note is not None
    assert "1 of 3 classes is none of the real images', such as 'wolf'" in note


def test_without_classes_all_images_are_of_one(image_folder):
    flat = open_images(image_folder("real", ("cat",)) / "cat")
    assert not Classes.of(flat).labelled
    assert Classes.of(flat).own_labels(flat).tolist() == [0] * 4
    assert Classes.of(flat).labels_of(flat)[0].tolist() == [0] * 4


def test_too_few_images_are_refused_with_what_to_do():
    classes = Classes(("cat", "dog"), labelled=True)
    with pytest.raises(
        ImageSetError, match=r"^5 images of each set can be compared, as many of each class; more than 5 are needed: give"
    ):
        require_enough(np.array([3, 2]), classes, {"mine": np.array([9, 2])})
    with pytest.raises(
        ImageSetError, match=r"^mine has no image of a class of the real ones \(cat, dog, …\); name its class folders alike$"
    ):
        require_enough(np.array([0, 0]), classes, {"mine": np.array([0, 0])})
