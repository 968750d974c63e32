"""Images made elsewhere are given as they are, by class and number."""

import io
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from oodkit.errors import ImageSetError, UnreadableImageError
from oodkit.synth.base import Request
from oodkit.synth.existing import Existing


def asked(of, *indices):
    return [Request(of, index, 0) for index in indices]


def arrays(tmp_path, labels, size=(4, 4)):
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), *size, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    np.save(tmp_path / "b.npy", np.array(labels))
    return pixels, f"npy:{tmp_path / 'a.npy'},{tmp_path / 'b.npy'}"


def test_class_folders_are_classes_and_their_images_come_in_order(image_folder):
    root = image_folder(classes=("dog", "cat"), each=3)
    made = Existing(f"dir:{root}")
    assert [(one.folder, one.name, one.label) for one in made.classes] == [("cat", "cat", 0), ("dog", "dog", 1)]
    assert (made.conditional, made.size, made.seed_scope, made.facts["images"]) == (True, None, "none", 6)
    images = made.generate([*asked(made.classes[1], 2), *asked(made.classes[0], 0)])
    for image, path in zip(images, ("dog/2.png", "cat/0.png"), strict=True):
        assert image.dtype == torch.uint8
        assert np.array_equal(image.permute(1, 2, 0).numpy(), np.asarray(Image.open(root / path)))
    assert made.available(made.classes[0]) == 3


def test_a_flat_folder_has_no_classes(image_folder):
    root = image_folder(classes=("only",), each=2)
    made = Existing(f"dir:{root / 'only'}")
    assert (made.classes, made.conditional, made.available(None)) == (None, False, 2)
    assert made.generate(asked(None, 1))[0].shape == (3, 8, 8)


def test_a_pair_of_arrays_is_numbered_and_knows_its_size(tmp_path):
    """Labels 2, 0, −1, 2: class 1 has no image, and that of none is left out."""
    pixels, spec = arrays(tmp_path, [2, 0, -1, 2])
    made = Existing(spec)
    assert [one.folder for one in made.classes] == ["0", "1", "2"]
    assert (made.size, made.conditional) == (4, True)
    assert [made.available(one) for one in made.classes] == [1, 0, 2]
    images = made.generate([*asked(made.classes[2], 0, 1), *asked(made.classes[0], 0)])
    assert np.array_equal(torch.stack(images).permute(0, 2, 3, 1).numpy(), pixels[[0, 3, 1]])


@pytest.mark.parametrize("largest", [10**5, 2**40])
def test_labels_that_are_no_numbers_of_classes_are_one_line(tmp_path, largest):
    """Every number up to the largest would be a class with a folder."""
    _, spec = arrays(tmp_path, [0, largest])
    with pytest.raises(ImageSetError, match=rf"^npy:\S+ holds labels up to {largest}; expected numbers of classes, [^\n]*$"):
        Existing(spec)


def test_images_in_fractions_are_taken_times_255(tmp_path):
    _, spec = arrays(tmp_path, [0, 0])
    np.save(tmp_path / "a.npy", np.full((2, 4, 4, 3), 0.25, np.float32))
    made = Existing(spec)
    assert [int(image.max()) for image in made.generate(asked(made.classes[0], 0, 1))] == [64, 64]


def test_images_that_are_no_squares_have_no_size(tmp_path):
    assert Existing(arrays(tmp_path, [0, 1], (4, 6))[1]).size is None


def test_shards_are_read_with_their_labels(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for key, label in (("x", 1), ("y", 0)):
            png = io.BytesIO()
            Image.new("RGB", (5, 5), (label, 0, 0)).save(png, "PNG")
            for name, data in ((f"{key}.png", png.getvalue()), (f"{key}.cls", str(label).encode())):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    made = Existing(f"wds:{tmp_path / 'a.tar'}")
    assert [int(made.generate(asked(one, 0))[0][0, 0, 0]) for one in made.classes] == [0, 1]


def test_an_unreadable_image_is_an_error_in_its_place(image_folder):
    root = image_folder(classes=("cat",), each=3)
    (root / "cat" / "1.png").write_bytes(b"none")
    made = Existing(f"dir:{root}")
    good, bad, also_good = made.generate(asked(made.classes[0], 0, 1, 2))
    assert isinstance(bad, UnreadableImageError)
    assert str(bad) == "cat/1.png: not an image of a format that Pillow decodes"
    assert good.shape == also_good.shape == (3, 8, 8)


def test_hostile_class_folders_become_safe_ones(tmp_path):
    (tmp_path / "set" / "\x1b[31m").mkdir(parents=True)
    Image.new("RGB", (2, 2)).save(tmp_path / "set" / "\x1b[31m" / "0.png")
    assert Existing(f"dir:{tmp_path / 'set'}").classes[0].folder == "%1B[31m"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("dir:nowhere", "no folder 'nowhere', which dir:nowhere names; expected one of class folders, or of images"),
        (
            "npy:x.npy,y.npy",
            "no file 'x.npy', which npy:x.npy,y.npy names; expected npy:IMAGES,LABELS, such as npy:images.npy,labels.npy",
        ),
    ],
)
def test_what_is_not_there_is_named(spec, told):
    with pytest.raises(ImageSetError) as caught:
        Existing(spec)
    assert str(caught.value) == told


def test_labels_that_are_missing_are_named(tmp_path):
    _, spec = arrays(tmp_path, [0, 1])
    with pytest.raises(ImageSetError, match="no file '', which"):
        Existing(spec.partition(",")[0] + ",")
    assert Existing(spec.partition(",")[0]).classes is None
