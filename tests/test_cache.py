"""The cache clears what it made and nothing else."""

import pytest

from oodkit.cache import cache_entries, cache_root, clear_cache
from oodkit.errors import UsageError
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


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.delenv("OODKIT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "oodkit"
    monkeypatch.setenv("OODKIT_CACHE", str(tmp_path / "own"))
    assert cache_root() == tmp_path / "own"


def test_an_empty_place_holds_nothing(tmp_path):
    assert cache_entries(tmp_path / "nowhere") == []
