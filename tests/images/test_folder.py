"""Folders of class folders and flat folders."""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from oodkit.errors import ImageSetError, UnreadableImageError
from oodkit.images import open_images
from oodkit.images.files import FileSet

from .hostile import READABLE, UNREADABLE, fill_hostile, image


def names(images) -> list[str]:
    return [images.image_name(index) for index in range(len(images))]


def test_class_folders_are_the_classes_in_torchvision_s_order_and_deeper_folders_are_not(tmp_path):
    for path in ("b/2.png", "b/10.png", "a/deep/er/1.png", "a/0.png", "B/x.png", "10x/y.png"):
        image(tmp_path / path)
    images = open_images(tmp_path)
    assert images.class_names == ("10x", "B", "a", "b")
    assert names(images) == ["10x/y.png", "B/x.png", "a/0.png", "a/deep/er/1.png", "b/10.png", "b/2.png"]
    assert images.labels.tolist() == [0, 1, 2, 2, 3, 3]
    assert images.labels.dtype == np.int64


def test_the_order_of_classes_is_torchvision_s_own(tmp_path):
    from torchvision.datasets import ImageFolder

    for name in ("zebra", "Ant", "10x", "9x", "ä", "a b", "_", "n01440764"):
        image(tmp_path / name / "x.png")
    assert list(open_images(tmp_path).class_names) == ImageFolder(tmp_path).classes


def test_classes_that_are_all_numbers_stand_in_the_order_of_numbers(tmp_path):
    """torchvision would put 10 before 2."""
    for name in ("10", "2", "1"):
        image(tmp_path / name / "x.png")
    assert open_images(tmp_path).class_names == ("1", "2", "10")


def test_a_class_folder_without_images_still_counts_as_a_class(tmp_path):
    image(tmp_path / "a" / "x.png")
    (tmp_path / "b").mkdir()
    image(tmp_path / "c" / "x.png")
    images = open_images(tmp_path)
    assert images.class_names == ("a", "b", "c")
    assert images.labels.tolist() == [0, 2]


def test_a_flat_folder_has_no_classes(tmp_path):
    image(tmp_path / "b.png")
    image(tmp_path / "a.JPEG")
    (tmp_path / "empty").mkdir()
    images = open_images(tmp_path)
    assert names(images) == ["a.JPEG", "b.png"]
    assert images.labels.tolist() == [-1, -1]
    assert images.class_names is None
    assert images.spec == str(tmp_path)


def test_hidden_files_and_other_files_are_left_out(tmp_path):
    image(tmp_path / "a" / "x.PnG")
    image(tmp_path / "a" / ".hidden.png")
    image(tmp_path / ".thumbs" / "x.png")
    for other in ("a/notes.txt", "a/film.mpg", "a/png", "credits.csv"):
        (tmp_path / other).write_bytes(b"?")
    assert names(open_images(tmp_path)) == ["a/x.PnG"]


def test_images_beside_class_folders_are_ambiguous(tmp_path):
    image(tmp_path / "a" / "x.png")
    image(tmp_path / "stray.png")
    with pytest.raises(ImageSetError, match=r"holds images \(1, such as 'stray.png'\) beside class folders \(such as 'a'\)"):
        open_images(tmp_path)


def test_a_folder_without_images_is_an_error(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ImageSetError, match="holds no image"):
        open_images(tmp_path)


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    image(tmp_path / "set" / "a" / "x.png")
    image(tmp_path / "elsewhere" / "y.png")
    (tmp_path / "set" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "a" / "self").symlink_to(tmp_path / "set" / "a")
    (tmp_path / "set" / "c").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "d").symlink_to("d")
    assert names(open_images(tmp_path / "set")) == ["a/x.png", "b/y.png"]


def test_folders_may_lie_deeper_than_calls_may(tmp_path):
    deepest = "/".join(["d"] * 200)
    image(tmp_path / "a" / deepest / "x.png")
    frame, calls = sys._getframe(), 0
    while frame := frame.f_back:
        calls += 1
    allowed = sys.getrecursionlimit()
    sys.setrecursionlimit(calls + 120)
    try:
        images = open_images(tmp_path)
    finally:
        sys.setrecursionlimit(allowed)
    assert names(images) == [f"a/{deepest}/x.png"]


def test_a_link_to_nothing_is_an_unreadable_image_and_a_pipe_is_none(tmp_path):
    image(tmp_path / "ok.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.png")
    images = open_images(tmp_path)
    assert names(images) == ["gone.png", "ok.png"]
    with pytest.raises(UnreadableImageError, match="No such file"):
        images.load(0)


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    image(tmp_path / "a" / "x.png")
    image(tmp_path / "b" / "x.png")
    scan = os.scandir

    def refuse(folder):
        if str(folder).endswith("b"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ImageSetError, match=r"can't read the folder .*b: Permission denied"):
        open_images(tmp_path)


@pytest.fixture
def hostile(tmp_path) -> Path:
    fill_hostile(tmp_path / "hostile")
    return tmp_path / "hostile"


def test_of_a_hostile_folder_every_good_image_is_read_and_every_other_has_its_reason(hostile):
    images = open_images(hostile)
    reasons = {}
    for index in range(len(images)):
        try:
            loaded = images.load(index)
            assert loaded.mode == "RGB"
            assert loaded.size == (4, 8 if "rotated" in images.image_name(index) else 4)
        except UnreadableImageError as error:
            reasons[images.image_name(index)] = str(error)
    assert set(reasons) == UNREADABLE
    assert reasons["empty.png"] == "an empty file"
    assert "truncated" in reasons["truncated.jpg"]
    assert "bomb" in reasons["bomb.png"]
    assert len(images) == READABLE + len(UNREADABLE)


def test_names_of_a_hostile_folder_can_be_printed_and_written_as_utf_8(hostile):
    for name in names(open_images(hostile)):
        assert name.isprintable()
        name.encode()


def test_the_fingerprint_is_stable_and_sees_every_change(hostile):
    def fingerprint():
        return open_images(hostile).fingerprint()

    seen = [fingerprint()]
    assert fingerprint() == seen[0]
    changes = (
        lambda: os.utime(hostile / "ok-grey.bmp", ns=(1, 1)),
        lambda: (hostile / "text.jpg").write_text("longer than it was"),
        lambda: image(hostile / "one-more.png"),
        lambda: (hostile / "ok-grey.bmp").rename(hostile / "ok-renamed.bmp"),
        (hostile / "one-more.png").unlink,
    )
    for change in changes:
        change()
        assert fingerprint() not in seen[-1:]
        seen.append(fingerprint())
    assert len(set(seen)) == len(seen)


def test_the_fingerprint_is_that_of_every_copy_with_the_same_sizes_and_times(tmp_path):
    """So that machines with copies share a cache; what it costs, the page on the cache says: other bytes may go unseen."""
    image(tmp_path / "x.png")
    one = FileSet("s", tmp_path, ["x.png"], [0])
    before, facts = one.fingerprint(), (tmp_path / "x.png").stat()
    written = bytes(facts.st_size)
    (tmp_path / "x.png").unlink()
    (tmp_path / "x.png").write_bytes(written)
    os.utime(tmp_path / "x.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    (tmp_path / "x.png").chmod(0o400)
    assert one.fingerprint() == before


def test_the_fingerprint_sees_a_moved_folder_and_a_changed_label(tmp_path):
    image(tmp_path / "a" / "x.png")
    one = FileSet("s", tmp_path, ["a/x.png"], [0])
    assert one.fingerprint() == FileSet("other spelling", tmp_path, ["a/x.png"], [0]).fingerprint()
    assert one.fingerprint() != FileSet("s", tmp_path, ["a/x.png"], [1]).fingerprint()
    assert one.fingerprint() != FileSet("s", tmp_path / "a", ["x.png"], [0]).fingerprint()


def test_a_set_survives_pickling(hostile):
    images = open_images(hostile)
    again = pickle.loads(pickle.dumps(images))
    assert names(again) == names(images)
    assert again.fingerprint() == images.fingerprint()
    assert again.load(names(again).index("ok-grey.bmp")).size == (4, 4)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_worker_processes_read_it(tmp_path, start):
    """The reader of extraction, and not a class of this file: a spawned worker can't import tests."""
    from torch.utils.data import DataLoader

    from oodkit.reading import Reader

    for width in (3, 5, 7):
        image(tmp_path / f"{width}.png", size=(width, 1))
    reader = Reader(open_images(tmp_path), np.asarray)
    items = list(
        DataLoader(reader, batch_size=None, sampler=[0, 1, 2], collate_fn=tuple, num_workers=1, multiprocessing_context=start)
    )
    assert [pixels.shape[1] for _, pixels in items] == [3, 5, 7]
