"""The demo's image sets hold what their docstring says, always the same, and never an image twice."""

import hashlib
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from oodkit.demo.sets import NAMES, PATCH_SIDES, SPLITS, open_demo_set
from oodkit.errors import ImageSetError

SIZES = {"digits": 433, "digits:train": 721, "digits:val": 289, "digits:test": 433, "digits-unseen": 354, "photo-patches": 400}
SIZES |= {f"digits-8x8:{split}": SIZES[f"digits:{split}"] for split in SPLITS}


@pytest.mark.parametrize("name", NAMES)
def test_every_set_has_its_size_and_loads_rgb_at_32_pixels_or_8(name):
    images = open_demo_set(name)
    assert len(images) == SIZES[name]
    assert images.spec == f"demo:{name}"
    for index in (0, len(images) - 1):
        image = images.load(index)
        assert (image.mode, image.size) == ("RGB", (8, 8) if "8x8" in name else (32, 32))
        assert images.image_name(index)


def test_the_splits_are_half_a_fifth_and_the_rest_of_every_class():
    """load_digits has 178 zeros: 89 of them train, round(178 × 0.7) − 89 = 36 are val, 53 test; the other classes alike."""
    counts = {split: np.bincount(open_demo_set(f"digits:{split}").labels) for split in SPLITS}
    assert [counts[split][0] for split in ("train", "val", "test")] == [89, 36, 53]
    total = sum(counts.values())
    assert total.tolist() == [178, 182, 177, 183, 181, 182, 181, 179]
    for split, share in SPLITS.items():
        assert np.abs(counts[split] - share * total).max() <= 1


def test_no_image_is_in_two_sets_or_twice_in_one():
    """Compared by pixels, so that a duplicate inside load_digits itself would show."""
    images = {
        name: [row.tobytes() for row in open_demo_set(name).pixels] for name in NAMES if name not in ("digits", "photo-patches")
    }
    for pixels in images.values():
        assert len(set(pixels)) == len(pixels)
    for one, other in combinations(images, 2):
        assert not set(images[one]) & set(images[other])


@pytest.mark.parametrize("split", SPLITS)
def test_the_small_digits_enlarged_are_the_others(split):
    """So that what a generator makes of them meets a classifier as its own images do, down to the last bit."""
    small, large = (open_demo_set(f"{kind}:{split}") for kind in ("digits-8x8", "digits"))
    assert small.names == large.names
    assert small.labels.tolist() == large.labels.tolist()
    for index in (0, 1, len(small) - 1):
        enlarged = small.load(index).resize((32, 32), Image.Resampling.BILINEAR)
        assert np.array_equal(np.asarray(enlarged), large.pixels[index])


def test_digits_alone_is_the_test_split():
    assert open_demo_set("digits").image_name(0) == open_demo_set("digits:test").image_name(0)
    assert open_demo_set("digits").fingerprint() == open_demo_set("digits:test").fingerprint()


def test_the_seen_digits_are_the_classes_and_the_ood_sets_belong_to_none():
    digits = open_demo_set("digits")
    assert digits.class_names == ("0", "1", "2", "3", "4", "5", "6", "7")
    assert set(digits.labels.tolist()) == set(range(8))
    for name in ("digits-unseen", "photo-patches"):
        assert set(open_demo_set(name).labels.tolist()) == {-1}
        assert open_demo_set(name).class_names is None


def test_the_labels_fit_the_images():
    """Rows of scikit-learn's own table: the name of an image says its row there."""
    from sklearn.datasets import load_digits

    target = load_digits().target
    digits, unseen = open_demo_set("digits:train"), open_demo_set("digits-unseen")
    assert [target[int(digits.image_name(index)[-4:])] for index in range(len(digits))] == digits.labels.tolist()
    assert {target[int(unseen.image_name(index)[-4:])] for index in range(len(unseen))} == {8, 9}


def test_grey_levels_0_to_16_become_0_to_255():
    digits = open_demo_set("digits:train")
    assert digits.pixels.min() == 0
    assert digits.pixels.max() > 250
    assert (digits.pixels[..., 0] == digits.pixels[..., 2]).all()


def test_patches_come_from_both_photographs_at_every_scale_in_equal_numbers():
    patches = open_demo_set("photo-patches")
    kinds = [patches.image_name(index).partition("+")[0] for index in range(len(patches))]
    expected = {f"{file} {side}x{side}" for file in ("china.jpg", "flower.jpg") for side in PATCH_SIDES}
    assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(expected, 50)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits:train", "6c094bf7a9f9ab43"),
        ("digits:val", "10974a2d2431089b"),
        ("digits:test", "10186118b9e39aad"),
        ("photo-patches", "1e23e794e2cddd9f"),
    ],
)
def test_the_choice_of_images_never_changes(name, expected):
    """Pinned: another split would test the shipped checkpoints on images that they were trained on."""
    names = "\n".join(open_demo_set(name).names)
    assert hashlib.sha256(names.encode()).hexdigest()[:16] == expected


def test_the_fingerprint_tells_labels_and_images_apart():
    fingerprints = {open_demo_set(name).fingerprint() for name in NAMES if name != "digits"}
    assert len(fingerprints) == 8
    changed = open_demo_set("digits")
    before = changed.fingerprint()
    changed.labels = changed.labels[::-1]
    assert changed.fingerprint() != before


@pytest.mark.parametrize("name", ["digit", "digits:all", "digits-unseen:test", "photo-patches:train", ""])
def test_an_unknown_name_or_split_is_refused_with_the_names_there_are(name):
    with pytest.raises(
        ImageSetError, match=r"no demo image set named '.*'; there are demo:digits, demo:digits:train, .*demo:photo-patches"
    ):
        open_demo_set(name)
