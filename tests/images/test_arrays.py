"""Images in .npz and .npy files."""

import os
import pickle

import numpy as np
import pytest

from oodkit.errors import ImageSetError
from oodkit.images import open_images

RGB = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, -1, 1])


def npz(folder, **arrays):
    np.savez(folder / "set.npz", **arrays)
    return folder / "set.npz"


@pytest.mark.parametrize("keys", [("images", "labels"), ("x", "y"), ("arr_0", "arr_1")])
def test_an_npz_holds_images_and_labels_by_any_of_three_pairs_of_keys(tmp_path, keys):
    images = open_images(npz(tmp_path, **{keys[0]: RGB, keys[1]: LABELS}))
    assert images.labels.tolist() == LABELS.tolist()
    assert images.class_names is None
    assert images.image_name(3) == "3"
    assert images.load(3).size == (6, 4)
    assert np.array_equal(np.asarray(images.load(3)), RGB[3])


def test_letter_case_of_the_extension_does_not_count(tmp_path):
    npz(tmp_path, images=RGB, labels=LABELS).rename(tmp_path / "SET.NPZ")
    assert open_images(tmp_path / "SET.NPZ").labels.tolist() == LABELS.tolist()
    np.save(tmp_path / "x.npy", RGB)
    (tmp_path / "x.npy").rename(tmp_path / "X.NPY")
    assert np.array_equal(np.asarray(open_images(tmp_path / "X.NPY").load(4)), RGB[4])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes by name here")
def test_labels_that_are_a_pipe_are_not_waited_for(tmp_path):
    np.save(tmp_path / "images.npy", RGB)
    os.mkfifo(tmp_path / "labels.npy")
    with pytest.raises(ImageSetError, match=r"can't read .*labels\.npy: it is no file"):
        open_images(tmp_path / "images.npy")


def test_without_labels_images_belong_to_no_class(tmp_path):
    assert open_images(npz(tmp_path, images=RGB)).labels.tolist() == [-1] * 5


@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 4, 6, 1)])
def test_grey_becomes_rgb(tmp_path, shape):
    images = open_images(npz(tmp_path, images=RGB[..., 0].reshape(shape)))
    assert np.array_equal(np.asarray(images.load(2)), np.repeat(RGB[2, ..., :1], 3, axis=2))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_fractions_are_scaled_by_255(tmp_path, dtype):
    fractions = np.broadcast_to(np.array([0, 0.25, 1], dtype=dtype)[:, None, None, None], (3, 2, 2, 3))
    images = open_images(npz(tmp_path, images=fractions))
    assert [images.load(index).getpixel((0, 0))[0] for index in range(3)] == [0, 64, 255]


@pytest.mark.parametrize(
    "images",
    [
        RGB.transpose(0, 3, 1, 2),
        RGB.astype(np.int64),
        RGB.astype(np.float32),
        np.full((2, 4, 4, 3), np.nan, dtype=np.float32),
        -np.ones((2, 4, 4, 3), dtype=np.float32),
        RGB[0, 0],
        np.zeros((2, 0, 4, 3), dtype=np.uint8),
        np.zeros((2, 4, 4, 4), dtype=np.uint8),
    ],
)
def test_other_images_are_refused_with_what_they_are_and_what_they_should_be(tmp_path, images):
    with pytest.raises(ImageSetError, match=rf"holds {images.dtype} \(.*expected images uint8, or floating-point in \[0, 1\]"):
        open_images(npz(tmp_path, images=images))


def test_numbers_of_another_range_are_told(tmp_path):
    with pytest.raises(ImageSetError, match=r"holds float32 \(5, 4, 6, 3\) from -0\.5 to 255; expected"):
        open_images(npz(tmp_path, images=np.linspace(-0.5, 255, 360, dtype=np.float32).reshape(5, 4, 6, 3)))


@pytest.mark.parametrize("labels", [LABELS[:4], LABELS[:, None], LABELS.astype(float), LABELS - 1, np.array(list("abcde"))])
def test_other_labels_are_refused(tmp_path, labels):
    with pytest.raises(ImageSetError, match=r"expected integers \(5,\), one per image"):
        open_images(npz(tmp_path, images=RGB, labels=labels))


@pytest.mark.parametrize("largest", [10**6, 2**40, 2**63 + 1])
def test_labels_that_are_no_numbers_of_classes_are_refused_with_the_largest(tmp_path, largest):
    """A network, or a folder, for each class up to it would never be done."""
    file = npz(tmp_path, images=RGB[:2], labels=np.array([0, largest], dtype=np.uint64))
    with pytest.raises(ImageSetError) as refused:
        open_images(file)
    expected = "expected numbers of classes, counted from 0, below 1000000"
    assert str(refused.value) == f"{file} holds labels up to {largest}; {expected}"
    assert open_images(npz(tmp_path, images=RGB[:2], labels=np.array([0, 10**6 - 1]))).labels[1] == 10**6 - 1


def test_other_keys_are_named(tmp_path):
    with pytest.raises(ImageSetError, match="holds the arrays data, target; expected images and labels"):
        open_images(npz(tmp_path, data=RGB, target=LABELS))


def test_a_pickle_is_not_read(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "objects.npz", images=np.array([{}], dtype=object))
    (tmp_path / "bare.npz").write_bytes(pickle.dumps([1]))
    for name in ("objects.npy", "objects.npz", "bare.npz"):
        with pytest.raises(ImageSetError, match="can't read"):
            open_images(tmp_path / name)


@pytest.mark.parametrize("end", [0, 3, 50, 200, -30])
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_a_cut_file_is_one_clear_error(tmp_path, kind, end):
    file = tmp_path / f"images.{kind}"
    (np.savez_compressed if kind == "npz" else np.save)(file, RGB)
    file.write_bytes(file.read_bytes()[:end])
    with pytest.raises(ImageSetError, match="can't read") as caught:
        open_images(file)
    assert "\n" not in str(caught.value)


def test_npy_labels_lie_beside_the_images(tmp_path):
    for prefix in ("", "test_"):
        np.save(tmp_path / f"{prefix}images.npy", RGB)
        np.save(tmp_path / f"{prefix}labels.npy", LABELS)
        images = open_images(tmp_path / f"{prefix}images.npy")
        assert images.labels.tolist() == LABELS.tolist()
        assert np.array_equal(np.asarray(images.load(4)), RGB[4])


def test_a_folder_with_images_npy_and_labels_npy_is_that_pair_whatever_else_it_holds(tmp_path, image_folder):
    folder = image_folder()
    np.save(folder / "images.npy", RGB)
    assert len(open_images(folder)) == 12
    np.save(folder / "labels.npy", LABELS)
    images = open_images(folder)
    assert (images.spec, images.labels.tolist()) == (str(folder), LABELS.tolist())
    assert np.array_equal(np.asarray(images.load(4)), RGB[4])


def test_npy_without_labels(tmp_path):
    np.save(tmp_path / "images.npy", RGB)
    np.save(tmp_path / "x.npy", RGB)
    assert open_images(tmp_path / "images.npy").labels.tolist() == [-1] * 5
    assert open_images(tmp_path / "x.npy").labels.tolist() == [-1] * 5


@pytest.mark.parametrize("name", ["images.npy", "images.npz"])
def test_a_pickled_set_holds_no_pixels_and_reads_them_again(tmp_path, name):
    many = np.repeat(RGB, 1000, axis=0)
    (np.save if name.endswith("npy") else np.savez)(tmp_path / name, many)
    images = open_images(tmp_path / name)
    packed = pickle.dumps(images)
    assert len(packed) < many.nbytes / 4
    assert np.array_equal(np.asarray(pickle.loads(packed).load(-1)), RGB[-1])


def test_the_fingerprint_sees_a_changed_pixel_and_a_changed_label(tmp_path):
    def fingerprint(images=RGB, labels=LABELS):
        return open_images(npz(tmp_path, images=images, labels=labels)).fingerprint()

    changed, relabelled = RGB.copy(), LABELS.copy()
    changed[0, 0, 0, 0] ^= 1
    relabelled[0] = 2
    assert len({fingerprint(), fingerprint(changed), fingerprint(labels=relabelled)}) == 3
    np.save(tmp_path / "images.npy", RGB)
    before = open_images(tmp_path / "images.npy").fingerprint()
    assert open_images(tmp_path / "images.npy").fingerprint() == before
    np.save(tmp_path / "images.npy", changed)
    assert open_images(tmp_path / "images.npy").fingerprint() != before


def test_names_of_arrays_are_no_control_codes(tmp_path):
    with pytest.raises(ImageSetError, match=r"holds the arrays \\x1b\[31m") as caught:
        open_images(npz(tmp_path, **{"\x1b[31m" * 99: RGB}))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "header", [b"{'descr': (", b"{'descr': '|u1', 'fortran_order': False, 'shape': (9" + b"9" * 30 + b",)}", b"\x1b[31m" * 40]
)
def test_a_header_that_makes_no_sense_is_one_short_line(tmp_path, header):
    """numpy parses it as Python, and raises what a parser raises."""
    (tmp_path / "set.npy").write_bytes(b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + bytes(99))
    with pytest.raises(ImageSetError, match=r"can't read .*set\.npy: .*; write it anew with") as caught:
        open_images(tmp_path / "set.npy")
    assert str(caught.value).isprintable()
