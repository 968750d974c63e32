"""The one grammar of image sets, and what stands behind each scheme."""

import gzip
import importlib.util
import io
import pickle
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from oodkit.errors import ImageSetError, UnreadableImageError, UsageError
from oodkit.images import open_images


def png(value: int, size=(4, 4)) -> bytes:
    file = io.BytesIO()
    Image.new("L", size, value).save(file, "PNG")
    return file.getvalue()


def reds(images) -> list[int]:
    return [images.load(index).getpixel((0, 0))[0] for index in range(len(images))]


# paths


def test_an_unknown_scheme_lists_the_kinds_and_near_ones():
    with pytest.raises(
        ImageSetError, match=r"no image sets of the kind trch:.*; kinds are demo:, hf:, torch:, wds:; did you mean torch\?"
    ):
        open_images("trch:cifar10")


def test_a_missing_path_names_near_ones(tmp_path):
    (tmp_path / "texture").mkdir()
    with pytest.raises(ImageSetError, match=r"no folder or file .*textures; did you mean texture\?"):
        open_images(tmp_path / "textures")
    with pytest.raises(ImageSetError, match=r"its folder .*nowhere is not there either"):
        open_images(tmp_path / "nowhere" / "x")


def test_what_exists_is_a_path_whatever_it_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data:set").mkdir()
    (tmp_path / "data:set" / "x.png").write_bytes(png(7))
    assert reds(open_images("data:set")) == [7]


@pytest.mark.parametrize("name", ["images.zip", "images.tar", "images.tar.gz"])
def test_an_archive_is_refused_with_what_to_do(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ImageSetError, match=r"is an archive: unpack it and name the folder"):
        open_images(tmp_path / name)


def test_a_single_file_is_no_set(tmp_path):
    (tmp_path / "x.png").write_bytes(png(0))
    with pytest.raises(ImageSetError, match=r"is no image set; expected a folder, .*for one image name its folder"):
        open_images(tmp_path / "x.png")


def test_limit_takes_one_image_of_each_stretch(tmp_path):
    """4 of 10: one of each of [0, 2), [2, 5), [5, 7), [7, 10), always the same."""
    for index in range(10):
        (tmp_path / f"{index}").mkdir()
        (tmp_path / f"{index}" / "x.png").write_bytes(png(index))
    np.savez(
        tmp_path / "set.npz", images=np.arange(10, dtype=np.uint8)[:, None, None].repeat(2, 1).repeat(2, 2), labels=np.arange(10)
    )
    for path in (tmp_path, tmp_path / "set.npz"):
        whole, part = open_images(path), open_images(path, limit=4)
        drawn = reds(part)
        assert drawn == part.labels.tolist()
        assert all(low <= one < high for one, low, high in zip(drawn, (0, 2, 5, 7), (2, 5, 7, 10), strict=True))
        assert part.class_names == whole.class_names
        assert part.image_name(3) == whole.image_name(drawn[3])
        assert part.fingerprint() != whole.fingerprint()
        assert part.fingerprint() == open_images(path, limit=4).fingerprint() != open_images(path, limit=5).fingerprint()
        assert len(open_images(path, limit=99)) == 10
        assert reds(pickle.loads(pickle.dumps(part))) == drawn
    with pytest.raises(UsageError, match=r"limit must be 1 or more, got 0"):
        open_images(tmp_path, limit=0)


def test_a_split_of_a_set_that_has_none_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"split 'val' can be chosen for torch: and hf: only"):
        open_images(tmp_path, split="val")


def test_demo_sets_are_opened_by_name():
    assert len(open_images("demo:digits-unseen")) == 354
    assert len(open_images("demo:digits-unseen", limit=10)) == 10


# torch:


@pytest.fixture
def mnist(tmp_path):
    """Three training and two test images in the files that torchvision keeps."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem, values, labels in (("train", [10, 20, 30], [5, 0, 4]), ("t10k", [40, 50], [7, 2])):
        pixels = np.array(values, dtype=np.uint8).repeat(28 * 28).tobytes()
        head = struct.pack(">IIII", 2051, len(values), 28, 28)
        for name, content in (
            ("images-idx3", head + pixels),
            ("labels-idx1", struct.pack(">II", 2049, len(labels)) + bytes(labels)),
        ):
            (raw / f"{stem}-{name}-ubyte").write_bytes(content)
            (raw / f"{stem}-{name}-ubyte.gz").write_bytes(gzip.compress(content))
    return tmp_path


def test_a_torchvision_set_is_read_below_the_root_by_split(mnist):
    images = open_images("torch:mnist", root=mnist)
    assert (reds(images), images.labels.tolist()) == ([40, 50], [7, 2])
    assert images.class_names[7] == "7 - seven"
    for named in (open_images("torch:mnist:train", root=mnist), open_images("torch:MNIST", root=mnist, split="train")):
        assert (reds(named), named.labels.tolist()) == ([10, 20, 30], [5, 0, 4])
    assert images.fingerprint() == open_images("torch:mnist:test", root=mnist).fingerprint() != named.fingerprint()
    assert reds(pickle.loads(pickle.dumps(images))) == [40, 50]


def test_the_root_may_come_from_the_environment(mnist, monkeypatch):
    monkeypatch.setenv("OODKIT_DATA", str(mnist))
    assert len(open_images("torch:mnist")) == 2
    monkeypatch.delenv("OODKIT_DATA")
    with pytest.raises(ImageSetError, match=r"needs the folder that the data is in: set OODKIT_DATA, or give root= in Python"):
        open_images("torch:mnist")


def test_a_torchvision_image_folder_is_read_with_oodkit_s_own_reader(tmp_path):
    (tmp_path / "val" / "cat").mkdir(parents=True)
    (tmp_path / "val" / "cat" / "x.png").write_bytes(png(9))
    (tmp_path / "val" / "cat" / "y.png").write_bytes(b"junk")
    images = open_images("torch:image_folder:val", root=tmp_path)
    assert images.class_names == ("cat",)
    assert images.image_name(0) == "val/cat/x.png"
    assert images.load(0).getpixel((0, 0)) == (9, 9, 9)
    with pytest.raises(UnreadableImageError, match="not an image of a format that Pillow decodes"):
        images.load(1)


def test_torchvision_s_failures_are_one_line_each(tmp_path):
    for spec, message in (
        ("torch:cifar11", "no torchvision data set 'cifar11' in timm's factory; it has cifar10, cifar100"),
        ("torch:mnist:tset", "torch:mnist has no split 'tset'; use train or test"),
        ("torch:cifar10", r"torch:cifar10:validation is not in .*Dataset not found.*set OODKIT_DATA"),
        ("torch:image_folder", "is not in"),
    ):
        with pytest.raises(ImageSetError, match=message) as caught:
            open_images(spec, root=tmp_path)
        assert "\n" not in str(caught.value)


# wds:


def tar(path, members):
    with tarfile.open(path, "w") as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def shards(tmp_path):
    tar(tmp_path / "val-000.tar", [("a/1.cls", b"3"), ("a/1.png", png(1)), ("a/2.PNG", png(2)), ("a/2.json", b"{}")])
    tar(
        tmp_path / "val-001.tar",
        [("3.jpg", b"junk"), ("3.cls", b"0\n"), ("._3.png", b""), ("only.txt", b"?"), ("4.x.png", b""), ("4.webp", png(4))],
    )
    return tmp_path


def test_tar_shards_are_read_by_position_in_any_order(shards):
    images = open_images("wds:val-{000..001}.tar|4", root=shards)
    assert images.labels.tolist() == [3, -1, 0, -1]
    assert [images.image_name(index) for index in range(4)] == ["a/1.png", "a/2.PNG", "3.jpg", "4.webp"]
    assert [images.load(index).getpixel((0, 0))[0] for index in (3, 0, 1)] == [4, 1, 2]
    with pytest.raises(UnreadableImageError, match=r"not an image"):
        images.load(2)
    again = pickle.loads(pickle.dumps(images))
    assert again.load(1).getpixel((0, 0)) == (2, 2, 2)
    assert again.fingerprint() == images.fingerprint()


def test_shards_are_named_by_ranges_and_by_words(shards):
    assert len(open_images(f"wds:{shards}/val-00{{0,1}}.tar")) == 4
    assert len(open_images(f"wds:{shards}/val-{{000..000}}.tar")) == 2
    assert open_images(f"wds:{shards}/val-00{{0,1}}.tar").fingerprint() != open_images(f"wds:{shards}/val-000.tar").fingerprint()


def test_missing_and_damaged_shards_and_labels_are_named(shards):
    with pytest.raises(ImageSetError, match=r"2 of 4 shards are missing, such as .*val-002.tar"):
        open_images("wds:val-{000..003}.tar", root=shards)
    tar(shards / "bad.tar", [("1.png", png(0)), ("1.cls", b"cat")])
    with pytest.raises(ImageSetError, match=r"1.cls: expected a class index of −1 or more, got 'cat'"):
        open_images("wds:bad.tar", root=shards)
    (shards / "zipped.tar").write_bytes(gzip.compress((shards / "val-000.tar").read_bytes()))
    (shards / "cut.tar").write_bytes((shards / "val-000.tar").read_bytes()[:1200])
    damaged = bytearray((shards / "val-000.tar").read_bytes())
    damaged[1024:1100] = b"?" * 76
    (shards / "damaged.tar").write_bytes(damaged)
    for name in ("zipped.tar", "cut.tar", "damaged.tar"):
        with pytest.raises(ImageSetError, match=r"can't read .*a shard is an uncompressed tar file"):
            open_images(f"wds:{name}", root=shards)


def test_a_url_s_shards_are_fetched_once(shards, tmp_path):
    pytest.importorskip("webdataset", reason="webdataset is an optional package: pip install 'oodkit[wds]'")
    source, spec = shards / "val-000.tar", f"wds:pipe:cat {shards}/val-000.tar"
    images = open_images(spec, root=tmp_path / "kept")
    assert images.labels.tolist() == [3, -1]
    source.unlink()
    assert reds(open_images(spec, root=tmp_path / "kept")) == [1, 2]
    with pytest.raises(ImageSetError, match=r"can't fetch pipe:cat"):
        open_images(f"wds:pipe:cat {shards}/nothing.tar", root=tmp_path / "kept")
    assert len(list((tmp_path / "kept" / "wds").iterdir())) == 1


def without(monkeypatch, package):
    """The package, and what was imported of it, is as if it were not installed."""
    monkeypatch.setitem(__import__("sys").modules, package, None)


def test_without_webdataset_a_url_says_what_to_install(tmp_path, monkeypatch):
    without(monkeypatch, "webdataset.gopen")
    without(monkeypatch, "webdataset")
    with pytest.raises(ImageSetError, match=r"needs the package webdataset: pip install 'oodkit\[wds\]'"):
        open_images("wds:https://example.org/x.tar", root=tmp_path)


# hf:


def test_without_datasets_hf_says_what_to_install(monkeypatch):
    without(monkeypatch, "datasets")
    with pytest.raises(ImageSetError, match=r"hf:mnist needs the package datasets: pip install 'oodkit\[hf\]'"):
        open_images("hf:mnist")


needs_datasets = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None, reason="datasets is an optional package: pip install 'oodkit[hf]'"
)


@needs_datasets
def test_a_hugging_face_set_is_read_from_a_local_folder(tmp_path):
    for split, value in (("train", 10), ("test", 20)):
        for label in ("cat", "dog"):
            (tmp_path / "set" / split / label).mkdir(parents=True)
            (tmp_path / "set" / split / label / "x.png").write_bytes(png(value))
    images = open_images(f"hf:{tmp_path}/set", root=tmp_path / "cache")
    assert images.spec.endswith("/set:test")
    assert (reds(images), images.labels.tolist(), images.class_names) == ([20, 20], [0, 1], ("cat", "dog"))
    train = open_images(f"hf:{tmp_path}/set:train", root=tmp_path / "cache")
    assert reds(pickle.loads(pickle.dumps(train))) == [10, 10]
    assert train.fingerprint() != images.fingerprint()
    with pytest.raises(ImageSetError, match=r"can't open hf:.*nope"):
        open_images(f"hf:{tmp_path}/set", split="nope", root=tmp_path / "cache")


@needs_datasets
def test_a_hugging_face_table_may_hold_broken_images_and_rows_without_a_label(tmp_path):
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = datasets.Features({"img": datasets.Image(), "fine_label": datasets.ClassLabel(names=["a", "b"])})
    rows = [{"bytes": png(5), "path": None}, {"bytes": b"junk", "path": "x.png"}, None]
    pq.write_table(pa.table({"img": rows, "fine_label": [1, 0, None]}, schema=features.arrow_schema), tmp_path / "test-0.parquet")
    images = open_images(f"hf:{tmp_path}", root=tmp_path / "cache")
    assert (images.labels.tolist(), images.class_names) == ([1, 0, -1], ("a", "b"))
    assert images.load(0).getpixel((0, 0)) == (5, 5, 5)
    for index in (1, 2):
        with pytest.raises(UnreadableImageError, match="not an image of a format that Pillow decodes"):
            images.load(index)


def test_limit_does_not_keep_step_with_classes_that_take_turns(tmp_path):
    """Every eighth image of eight classes in turn would be of one class."""
    np.savez(tmp_path / "set.npz", images=np.zeros((400, 2, 2), np.uint8), labels=np.arange(400) % 8)
    assert len(set(open_images(tmp_path / "set.npz", limit=50).labels.tolist())) == 8


def test_a_near_name_is_offered_only_of_what_can_be_opened(tmp_path):
    (tmp_path / "nets.py").touch()
    with pytest.raises(ImageSetError) as error:
        open_images(tmp_path / "net")
    told = "expected a folder, an image list (.txt), an .npz, an .npy or a set such as demo:digits"
    assert str(error.value) == f"no folder or file {tmp_path / 'net'}; {told}"
