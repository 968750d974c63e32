"""The cache clears what it made and nothing else."""

import errno
from pathlib import Path

import pytest

from oodkit.cache import cache_entries, cache_root, clear_cache
from oodkit.errors import OodkitError, UsageError
from oodkit.extraction import extract
from oodkit.images import open_images


@pytest.fixture
def filled(tiny_model, image_folder, tmp_path):
    for name in ("one", "two"):
        extract(tiny_model, open_images(str(image_folder(name, seed=len(name)))), cache=tmp_path / "cache")
    return tmp_path / "cache"


def test_a_key_clears_its_entry_alone(filled):
    first, second = cache_entries(filled)
    gone = clear_cache([first.key[:8]], filled)
    assert [entry.key for entry in gone] == [first.key]
    assert [entry.key for entry in cache_entries(filled)] == [second.key]


def test_folders_that_are_no_entries_stay(filled):
    (filled / "my-thesis").mkdir()
    (filled / "my-thesis" / "only-copy.txt").write_text("dear")
    clear_cache(None, filled)
    assert [path.name for path in filled.iterdir()] == ["my-thesis"]


def test_an_unknown_key_deletes_nothing(filled):
    known = cache_entries(filled)[0].key
    with pytest.raises(UsageError, match="no cache entry begins with 'zzz'; `oodkit cache list` shows the keys"):
        clear_cache([known, "zzz"], filled)
    assert len(cache_entries(filled)) == 2


def test_an_empty_key_is_not_every_key(filled):
    """As ``oodkit cache clear "$KEY"`` has it where the variable is unset."""
    with pytest.raises(UsageError, match="a key is empty; `oodkit cache list` shows the keys"):
        clear_cache([""], filled)
    assert len(cache_entries(filled)) == 2


def test_of_an_entry_without_a_readable_manifest_nobody_knows_what_is_missing(filled):
    first, _ = cache_entries(filled)
    (first.folder / "manifest.json").write_text("{")
    assert [(entry.manifest is None, entry.missing) for entry in cache_entries(filled)] == [(True, None), (False, 0)]


def test_an_entry_that_may_not_be_read_does_not_hide_the_others(filled, monkeypatch):
    first, second = cache_entries(filled)
    inside = Path.iterdir

    def iterdir(path):
        if path == first.folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return inside(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert [entry.bytes for entry in cache_entries(filled)] == [0, second.bytes]


@pytest.mark.parametrize("seen", [0, 1])
def test_a_file_that_goes_while_it_is_counted_counts_nothing(filled, monkeypatch, seen):
    """A running writer renames its temporary file between the listing and the question for its size."""
    before = [entry.bytes for entry in cache_entries(filled)]
    going = cache_entries(filled)[0].folder / ".00009.safetensors.1-ff.tmp"
    going.write_bytes(b"half")
    looks, original = [], Path.stat

    def stat(path, **rest):
        if path == going:
            looks.append(path)
            if len(looks) > seen:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return original(path, **rest)

    monkeypatch.setattr(Path, "stat", stat)
    assert [entry.bytes for entry in cache_entries(filled)] == [before[0] + 4 * seen, before[1]]


def test_an_entry_that_a_run_writes_to_says_what_to_do(filled, monkeypatch):
    def rmtree(folder):
        raise OSError(errno.ENOTEMPTY, "Directory not empty", str(folder))

    monkeypatch.setattr("shutil.rmtree", rmtree)
    with pytest.raises(OodkitError, match=r"can't delete all of .*: Directory not empty; where a run is still writing"):
        clear_cache(None, filled)


def test_a_list_of_the_cache_does_not_read_the_contents(filled, monkeypatch):
    monkeypatch.setattr("oodkit.shards.checksum", lambda _: pytest.fail("read"))
    assert [entry.missing for entry in cache_entries(filled)] == [0, 0]


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.delenv("OODKIT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "oodkit"
    monkeypatch.setenv("OODKIT_CACHE", str(tmp_path / "own"))
    assert cache_root() == tmp_path / "own"


def test_an_empty_place_holds_nothing(tmp_path):
    assert cache_entries(tmp_path / "nowhere") == []
