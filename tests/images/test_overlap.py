"""Images that two sets share: the same content under any name, and nothing that merely looks alike from outside."""

import io
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oodkit.images import files, open_images, overlap
from oodkit.images.hub_sets import HubSet
from oodkit.images.overlap import shared_images

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 5, 3), dtype=np.uint8)


def folder(root, names_and_rows, suffix="png"):
    for name, row in names_and_rows.items():
        file = root / f"{name}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RGB[row]).save(file)
    return open_images(root)


def arrays(path, rows, **more):
    np.savez(path, images=RGB[rows], **more)
    return open_images(path)


def test_the_same_file_under_another_name_in_another_folder_is_found(tmp_path):
    ours = folder(tmp_path / "ours", {"a": 0, "b": 1, "c": 2})
    others = folder(tmp_path / "others", {"x/one": 4, "x/two": 2, "y/three": 0})
    assert shared_images(ours, others) == {0: 2, 2: 1}
    assert [others.image_name(2), others.image_name(1)] == ["y/three.png", "x/two.png"]
    assert shared_images(others, ours) == {1: 2, 2: 0}


def test_a_file_encoded_again_is_another_one_as_the_documentation_says(tmp_path):
    """Equal in every pixel, but the bytes are not: the reports must claim no more than that."""
    ours, others = folder(tmp_path / "ours", {"a": 0}), folder(tmp_path / "others", {"a": 0}, suffix="bmp")
    assert np.array_equal(ours.load(0), others.load(0))
    assert shared_images(ours, others) == {}


def test_every_copy_counts_and_each_names_the_first_of_its_like(tmp_path):
    ours = folder(tmp_path / "ours", {"a": 0, "b": 0, "c": 1})
    assert shared_images(ours, folder(tmp_path / "others", {"x": 0, "y": 0})) == {0: 0, 1: 0}


def test_a_file_of_equal_size_and_other_content_is_no_overlap(tmp_path):
    for name, colour in {"ours": (10, 20, 30), "others": (10, 20, 31)}.items():
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8), colour).save(tmp_path / name / "x.bmp")
    ours, others = open_images(tmp_path / "ours"), open_images(tmp_path / "others")
    assert ours.stored_size(0) == others.stored_size(0) > 8 * 8 * 3
    assert shared_images(ours, others) == {}


def test_of_files_only_those_of_equal_size_are_read(tmp_path, monkeypatch):
    for name, sizes in {"ours": (100, 101), "others": (102, 101, 103)}.items():
        (tmp_path / name).mkdir()
        for number, size in enumerate(sizes):
            (tmp_path / name / f"{number}.png").write_bytes(bytes(size))
    ours, others = open_images(tmp_path / "ours"), open_images(tmp_path / "others")
    asked = []
    monkeypatch.setattr(files.FileSet, "source", lambda own, index: asked.append(index) or own.root / own.path(index))
    assert shared_images(ours, others) == {1: 1}
    assert asked == [0, 0, 1, 1, 1, 1], "the first of each, to learn that they are files; then the two of one size, twice"


def numbered_files(root, *contents):
    root.mkdir()
    for number, content in enumerate(contents):
        (root / f"{number}.png").write_bytes(content)
    return open_images(root)


@pytest.fixture
def opened(monkeypatch):
    """How often each file was opened to be read: once for its middle, once more for the whole of it."""
    counts, plain = Counter(), Path.open

    def counted(path, mode="r", *how, **more):
        counts.update([path] if "r" in mode else [])
        return plain(path, mode, *how, **more)

    monkeypatch.setattr(Path, "open", counted)
    return counts


def test_of_files_of_equal_size_only_those_with_equal_middles_are_read_whole(tmp_path, monkeypatch, opened):
    monkeypatch.setattr(overlap, "SAMPLE", 2)
    ours = numbered_files(tmp_path / "ours", b"header-ab-footer", b"header-cd-footer", b"header-ef-footer")
    others = numbered_files(tmp_path / "others", b"HEADER-ab-footer", b"header-cd-footer")
    assert shared_images(ours, others) == {1: 1}
    assert [opened[ours.source(row)] for row in range(3)] == [2, 2, 1]
    assert [opened[others.source(row)] for row in range(2)] == [2, 2]


def test_what_one_comparison_found_of_an_image_serves_all_sets(tmp_path, monkeypatch, opened):
    """Compared with five test sets, ImageNet's training images would be looked at five times."""
    ours = numbered_files(tmp_path / "ours", b"one", b"two", b"other")
    sets = [numbered_files(tmp_path / f"{number}", b"one", b"six", bytes(number)) for number in range(3)]
    asked = Counter()
    size = files.FileSet.stored_size
    monkeypatch.setattr(files.FileSet, "stored_size", lambda own, row: asked.update([(own, row)]) or size(own, row))
    comparison = overlap.Comparison()
    assert [comparison.shared_images(ours, one) for one in (*sets, sets[0])] == [{0: 0}] * 4
    assert set(asked.values()) == {1}
    assert {one.parent.name: opened[one] for one in opened if one.name == "0.png"} == {"ours": 2, "0": 2, "1": 2, "2": 2}
    assert set(opened.values()) == {1, 2}, "the middle once, and the whole once where the middle is another set's too"


def test_an_empty_file_is_no_image_that_could_be_shared(tmp_path):
    assert shared_images(numbered_files(tmp_path / "ours", b""), numbered_files(tmp_path / "others", b"")) == {}


def of_sizes(root, *sizes, start=0):
    """Files of these sizes that no other set has, unless it starts alike."""
    return numbered_files(root, *((start + number).to_bytes(4, "big") + bytes(size) for number, size in enumerate(sizes)))


def test_of_large_sets_that_share_nothing_few_files_are_read(tmp_path, monkeypatch, opened):
    monkeypatch.setattr(overlap, "LOOKED_AT", 10)
    ours, others = of_sizes(tmp_path / "ours", *range(50)), of_sizes(tmp_path / "others", *range(50), start=1000)
    assert overlap.Comparison().shared_files(ours, others) == {}
    assert sorted(path.stat().st_size for path in opened.elements()) == [4, 4, 14, 14, 24, 24, 34, 34, 44, 44]


def test_where_those_share_an_image_all_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(overlap, "LOOKED_AT", 10)
    ours, same = of_sizes(tmp_path / "ours", *range(50)), of_sizes(tmp_path / "same", *range(50))
    assert overlap.Comparison().shared_files(ours, same) == shared_images(ours, same) == {row: row for row in range(50)}


def test_images_in_arrays_are_not_decoded_to_look_for_shared_files(tmp_path, monkeypatch):
    saved, others = folder(tmp_path / "files", {"a": 0}), arrays(tmp_path / "x.npz", [0])
    monkeypatch.setattr(type(others), "load", lambda *_: pytest.fail("decoded"))
    comparison = overlap.Comparison()
    assert [comparison.shared_files(*pair) for pair in ((saved, others), (others, saved), (others, others))] == [{}, {}, {}]


def test_the_sizes_that_a_fingerprint_has_found_are_not_asked_for_again(tmp_path):
    """Even where the files are no longer there."""
    ours = numbered_files(tmp_path / "ours", b"one", b"three")
    ours.fingerprint()
    for row in range(2):
        ours.source(row).unlink()
    assert [ours.stored_size(0), ours.stored_size(1)] == [3, 5]


def test_a_relabelled_copy_of_arrays_is_found(tmp_path):
    ours = arrays(tmp_path / "ours.npz", [0, 1, 2], labels=np.array([0, 1, 2]))
    others = arrays(tmp_path / "others.npz", [5, 2, 0], labels=np.array([7, 7, 7]))
    assert ours.fingerprint() != others.fingerprint()
    assert shared_images(ours, others) == {0: 2, 2: 1}


def test_arrays_of_other_shapes_share_nothing(tmp_path):
    np.savez(tmp_path / "turned.npz", images=np.ascontiguousarray(RGB.transpose(0, 2, 1, 3)))
    assert shared_images(arrays(tmp_path / "ours.npz", [0]), open_images(tmp_path / "turned.npz")) == {}


def test_arrays_and_lossless_files_are_compared_by_their_pixels(tmp_path):
    saved = folder(tmp_path / "files", {"a": 3, "b": 4})
    assert shared_images(saved, arrays(tmp_path / "x.npz", [0, 4])) == {1: 1}
    assert shared_images(arrays(tmp_path / "y.npz", [0, 4]), saved) == {1: 1}


def test_files_of_other_dimensions_are_not_decoded_beside_arrays(tmp_path, monkeypatch):
    (tmp_path / "large").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "large" / "x.png")
    large = open_images(tmp_path / "large")
    monkeypatch.setattr(type(large), "load", lambda *_: pytest.fail("decoded"))
    assert shared_images(large, arrays(tmp_path / "x.npz", [0])) == {}


def test_a_photograph_turned_by_exif_is_found_among_upright_pixels(tmp_path):
    (tmp_path / "turned").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB[0]).save(tmp_path / "turned" / "x.png", exif=exif)
    turned = open_images(tmp_path / "turned")
    np.savez(tmp_path / "x.npz", images=np.asarray(turned.load(0))[None])
    assert turned.load(0).size == (8, 5)
    assert shared_images(turned, open_images(tmp_path / "x.npz")) == {0: 0}


def test_shards_and_folders_hold_the_same_files(tmp_path):
    saved = folder(tmp_path / "files", {"a": 0, "b": 1})
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name in ("b", "a"):
            content = (tmp_path / "files" / f"{name}.png").read_bytes()
            member = tarfile.TarInfo(f"other-{name}.png")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    shard = open_images(f"wds:{tmp_path / 'x.tar'}")
    assert shared_images(saved, shard) == {0: 1, 1: 0}
    assert shared_images(open_images(f"wds:{tmp_path / 'x.tar'}", limit=1), saved) in ({0: 0}, {0: 1})


def test_rows_of_the_hub_are_files_too(tmp_path):
    saved = folder(tmp_path / "files", {"a": 0, "b": 1, "c": 2})
    content = (tmp_path / "files" / "a.png").read_bytes()
    cells = [None, {"bytes": content, "path": "a.png"}, {"bytes": None, "path": str(tmp_path / "files" / "c.png")}]
    assert shared_images(hub_of(cells), saved) == {1: 0, 2: 2}


def test_the_size_of_a_hub_image_is_had_without_its_bytes(monkeypatch):
    hub = hub_of([{"bytes": b"12345", "path": None}, {"bytes": None, "path": "nowhere"}, None])
    monkeypatch.setattr(HubSet, "source", lambda *_: pytest.fail("read"))
    assert [hub.stored_size(row) for row in range(3)] == [5, -1, -1]


class Rows(list):
    """As much of a ``datasets.Dataset`` as a set of its rows reads: them, and the Arrow table behind them."""

    def __init__(self, cells):
        super().__init__({"image": cell} for cell in cells)
        arrow = pytest.importorskip("pyarrow")
        kind = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
        self.data = arrow.table({"image": arrow.array(cells, type=kind)})


def hub_of(cells):
    return HubSet("hf:x", Rows(cells), "image", None)


def test_a_part_of_a_set_is_looked_at_alone(tmp_path):
    whole = arrays(tmp_path / "whole.npz", [0, 1, 2, 3, 4, 5])
    part = open_images(tmp_path / "whole.npz", limit=2)
    kept = [int(part.image_name(row)) for row in range(2)]
    assert shared_images(part, whole) == dict(enumerate(kept))
    other = arrays(tmp_path / "other.npz", [row for row in range(6) if row not in kept])
    assert shared_images(part, other) == {}


def test_what_can_not_be_read_is_like_nothing(tmp_path):
    for name in ("ours", "others"):
        folder(tmp_path / name, {"a": 0})
        (tmp_path / name / "broken.png").write_bytes(b"no image")
        (tmp_path / name / "list.txt").write_text("a.png 0\ngone.png 0\nbroken.png 0\n")
    ours, others = (open_images(tmp_path / name / "list.txt") for name in ("ours", "others"))
    assert shared_images(ours, others) == {0: 0, 2: 2}, "files are compared as files, sound or not; a missing one is none"
    assert shared_images(ours, arrays(tmp_path / "x.npz", [0])) == {0: 0}


def test_a_file_is_hashed_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(overlap, "PIECE", 7)
    ours = folder(tmp_path / "ours", {"a": 0})
    assert shared_images(ours, folder(tmp_path / "others", {"b": 1, "c": 0})) == {0: 1}


def test_demo_sets_have_no_image_in_common():
    digits, unseen, patches = (open_images(f"demo:{name}") for name in ("digits", "digits-unseen", "photo-patches"))
    assert shared_images(digits, unseen) == shared_images(patches, digits) == {}
    assert shared_images(patches, patches) == {index: index for index in range(400)}
