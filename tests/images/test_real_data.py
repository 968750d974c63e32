"""Real image sets, read in place, have the counts that their index gives; skipped where they are not beside the checkout."""

from pathlib import Path

import numpy as np
import pytest

from oodkit.images import open_images
from oodkit.images.classes import align_labels

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data beside the checkout")

COUNTS = {
    "cifar10/test-1000.npz": 1000,
    "cifar10/train-4000.npz": 4000,
    "cifar100-flowers/images-1500.npz": 1500,
    "tiny-imagenet/val-1000": 1000,
    "scenes/images-400": 400,
    "mnist/test-2000.npz": 2000,
    "textures/dtd-150": 150,
    "imagenet-compatible/val-400": 400,
    "grocery/packages-200": 185,
    "grocery/produce-200": 190,
}


@pytest.mark.parametrize("name", COUNTS)
def test_every_set_has_its_count_and_its_images_are_rgb(name):
    images = open_images(DATA / name)
    assert len(images) == COUNTS[name]
    for index in range(0, len(images), max(1, len(images) // 20)):
        assert images.load(index).mode == "RGB"


def test_labels_are_where_the_index_says():
    assert set(open_images(DATA / "cifar10" / "test-1000.npz").labels.tolist()) == set(range(10))
    for name in ("cifar100-flowers/images-1500.npz", "tiny-imagenet/val-1000", "scenes/images-400", "grocery/packages-200"):
        assert set(open_images(DATA / name).labels.tolist()) == {-1}
    assert len(open_images(DATA / "textures" / "dtd-150").class_names) == 10


def test_synset_folders_find_their_places_among_imagenet_s_classes():
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    synsets = tuple(info.label_names())
    images = open_images(DATA / "imagenet-compatible" / "val-400")
    labels, note = align_labels(images, tuple(info.label_descriptions()), synsets, 1000)
    assert note is None
    assert all(images.image_name(index).startswith(synsets[label]) for index, label in enumerate(labels))
    textures, _ = align_labels(open_images(DATA / "textures" / "dtd-150"), tuple(info.label_descriptions()), synsets, 1000)
    assert np.all(textures == -1)


def test_an_archive_of_class_folders_is_refused():
    from oodkit.errors import ImageSetError

    with pytest.raises(ImageSetError, match=r"jpeg-test-3000.zip is an archive: unpack it"):
        open_images(DATA / "cifar10" / "jpeg-test-3000.zip")
