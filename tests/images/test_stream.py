"""Images one after the other: what each source gives, in which order, and that it is looked at only when it is reached."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from oodkit.errors import ImageSetError, UnreadableImageError, UsageError
from oodkit.images import open_images
from oodkit.images.files import FileSet
from oodkit.images.stream import open_stream, stream_files


def names(stream):
    return [entry.name for entry in stream.entries]


def pixel(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2), (value, value, value)).save(path)
    return path


def listed(text, **options):
    return open_stream(["-"], stdin=io.BytesIO(text), **options)


class Trickle(io.BufferedIOBase):
    """A pipe that gives a few bytes at a time, and counts them."""

    def __init__(self, content, step):
        self.content, self.step, self.given = content, step, 0

    def read1(self, _size=-1):
        piece = self.content[self.given : self.given + self.step]
        self.given += len(piece)
        return piece


def test_a_folder_gives_what_open_images_does_in_the_same_order(tmp_path):
    """Names that sort differently with and without what lies below them: '-' and '.' come before '/'."""
    for path in ("a/x.png", "a-1/y.png", "a.b/z.png", "a/deep/er/w.png", "a/deep.png", "a/deep-1.png"):
        pixel(tmp_path / "set" / path)
    for path in (".hidden.png", ".hidden/u.png", "a/notes.md", "a/.v.png"):
        pixel((tmp_path / "set" / path).with_suffix(".png")).rename(tmp_path / "set" / path)
    images = open_images(tmp_path / "set")
    expected = sorted(str(images.source(index)) for index in range(len(images)))
    assert len(expected) == 6
    assert names(open_stream([str(tmp_path / "set")])) == expected


def test_images_beside_folders_are_images_too(tmp_path):
    """What open_images refuses, because the labels would be unclear; here there are none."""
    pixel(tmp_path / "b.png")
    pixel(tmp_path / "a" / "c.png")
    assert names(open_stream([f"{tmp_path}/"])) == [f"{tmp_path}/a/c.png", f"{tmp_path}/b.png"]


def test_a_folder_of_two_arrays_gives_what_open_images_does(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((3, 2, 2, 3), dtype=np.uint8))
    np.save(tmp_path / "labels.npy", np.arange(3))
    assert names(open_stream([str(tmp_path)])) == [f"{tmp_path}/{position}" for position in range(3)]


def test_names_are_spelled_as_the_folder_was(tmp_path, monkeypatch):
    pixel(tmp_path / "photos" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert names(open_stream(["photos", "./photos/", "photos/a.png"])) == ["photos/a.png", "./photos/a.png", "photos/a.png"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    pixel(tmp_path / "set" / "a" / "x.png")
    (tmp_path / "set" / "a" / "again").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "set" / "other").symlink_to(tmp_path / "set" / "a", target_is_directory=True)
    (tmp_path / "set" / "itself").symlink_to("itself")
    (tmp_path / "set" / "gone.png").symlink_to("nowhere.png")
    root = f"{tmp_path}/set"
    assert names(open_stream([root])) == [f"{root}/a/x.png", f"{root}/gone.png", f"{root}/other/x.png"]


def test_a_folder_is_read_when_it_is_reached(tmp_path, monkeypatch):
    for name in "abc":
        pixel(tmp_path / "set" / name / "x.png")
    read, scan = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: read.append(path.rpartition("/")[2]) or scan(path))
    entries = open_stream([str(tmp_path / "set"), str(tmp_path / "set" / "a")]).entries
    assert read == []
    next(entries)
    assert read == ["set", "a"]
    next(entries)
    assert read == ["set", "a", "b"]


def test_a_folder_that_cannot_be_read_or_is_empty_is_an_entry_with_the_reason(tmp_path, monkeypatch):
    for name in "abc":
        pixel(tmp_path / name / "x.png")
    (tmp_path / "empty").mkdir()
    scan = os.scandir

    def guarded(path):
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    stream = open_stream([str(tmp_path), str(tmp_path / "empty")])
    found = list(stream.entries)
    assert [entry.name.removeprefix(str(tmp_path)) for entry in found] == ["/a/x.png", "/b", "/c/x.png", "/empty"]
    assert found[1].reason == "a folder that can't be read: Permission denied"
    assert found[3].reason == "a folder that holds no image, by the names of its files"
    with pytest.raises(UnreadableImageError, match="Permission denied"):
        stream.places.transformed(found[1], lambda image: image)
    with pytest.raises(ImageSetError, match=r"can't read the folder .*/b: Permission denied"):
        open_images(tmp_path)


def test_an_image_list_is_checked_whole_and_then_read_line_by_line(tmp_path):
    (tmp_path / "list.txt").write_text("sub/a.png 3\n\nb.png -1\r\n")
    assert names(open_stream([f"{tmp_path}/list.txt"])) == [f"{tmp_path}/sub/a.png", f"{tmp_path}/b.png"]
    (tmp_path / "list.txt").write_text("a.png 3\nb.png\n")
    with pytest.raises(ImageSetError, match=r"list\.txt, line 2: expected a path .* got 'b\.png'"):
        open_stream([str(tmp_path / "list.txt")])
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(ImageSetError, match=r"list\.txt lists no image"):
        open_stream([str(tmp_path / "list.txt")])


def test_paths_on_stdin(tmp_path):
    assert names(listed(b"a.png\nwith space.png\r\n\n\xff.png")) == ["a.png", "with space.png", "\udcff.png"]
    assert names(listed(b"a.png\0line\nbreak.png\0last\r", separator=b"\0")) == ["a.png", "line\nbreak.png", "last\r"]
    assert names(listed(b"")) == []
    with pytest.raises(UsageError, match="can stand once"):
        open_stream(["-", "-"], stdin=io.BytesIO())


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_stdin_is_read_as_it_comes_and_no_further(step):
    pipe = Trickle(b"first.png\nsecond.png\nthird.png", step)
    entries = open_stream(["-"], stdin=pipe).entries
    assert pipe.given == 0
    assert next(entries).name == "first.png"
    assert pipe.given <= len(b"first.png\n") + step
    assert [entry.name for entry in entries] == ["second.png", "third.png"]


def test_what_is_no_list_of_paths_does_not_fill_the_memory():
    """Of an endless stream without a separator little more than a megabyte is read."""
    pipe = Trickle(b"x" * (1 << 23), 1 << 16)
    found = list(open_stream(["-"], stdin=pipe).entries)
    assert [(entry.name, entry.place) for entry in found] == [("x" * 80, None)]
    assert found[0].reason.startswith("too long for a path; the list on stdin is a path a line")
    assert pipe.given < 2 << 20


def test_sources_in_any_mixture_are_numbered_through(tmp_path):
    np.savez(tmp_path / "set.npz", images=np.zeros((2, 4, 4, 3), dtype=np.uint8))
    one, other = pixel(tmp_path / "one.png", 7), pixel(tmp_path / "odd.png", 9).rename(tmp_path / "odd")
    stream = open_stream([str(one), str(tmp_path / "set.npz"), "demo:digits", str(other)])
    entries = list(stream.entries)
    assert [entry.number for entry in entries] == list(range(len(entries)))
    assert [entry.name for entry in (*entries[:3], entries[-1])] == [
        str(one),
        f"{tmp_path}/set.npz/0",
        f"{tmp_path}/set.npz/1",
        str(other),
    ]
    assert entries[3].name == "demo:digits/load_digits/0004"

    def corner(entry):
        return stream.places.transformed(entry, lambda image: image.getpixel((0, 0)))

    assert [corner(entry) for entry in (entries[0], entries[1], entries[-1])] == [(7, 7, 7), (0, 0, 0), (9, 9, 9)]
    digit = open_images("demo:digits").load(1)
    assert stream.places.transformed(entries[4], lambda image: image.tobytes()) == digit.tobytes()


def test_a_set_of_files_is_read_by_its_paths(tmp_path, monkeypatch):
    """So torchvision's sets on disk are: workers are sent paths, and rows name them."""
    files = FileSet("torch:imagenet:val", tmp_path, ["a.png", "b.png"], [0, 1])
    monkeypatch.setattr("oodkit.images.stream.open_images", lambda _spec: files)
    stream = open_stream(["torch:imagenet"])
    assert stream.places.sets == ()
    assert [entry.place for entry in stream.entries] == [f"{tmp_path}/a.png", f"{tmp_path}/b.png"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere", r"no folder or file .*nowhere"),
        ("photo.pmg", r"no folder or file .*photo\.pmg; did you mean photo\.png"),
        ("images.zip", "is an archive: unpack it and name the folder"),
        ("demo:nothing", "no demo image set named 'nothing'"),
        ("nothing:x", "no image sets of the kind nothing:"),
    ],
)
def test_a_source_that_is_not_there_is_refused_before_anything_is_read(tmp_path, monkeypatch, spec, message):
    pixel(tmp_path / "photo.png")
    (tmp_path / "images.zip").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImageSetError, match=message):
        open_stream(["photo.png", spec])


def test_what_is_no_file_is_unreadable_and_waits_for_nobody(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    places = stream_files([]).places
    reasons = []
    for path in (tmp_path / "pipe.png", tmp_path, tmp_path / "gone.png", "a\0b", "/dev/null"):
        (entry,) = stream_files([path]).entries
        with pytest.raises(UnreadableImageError) as found:
            places.transformed(entry, lambda image: image)
        reasons.append(str(found.value))
    special = "a pipe or a device, not a file"
    assert "embedded null" in reasons.pop(3), "Python's own words differ by version"
    assert reasons == [special, "Is a directory", "No such file or directory", special]
