"""Weights are found by path, by repository or by address, and are those that were asked for."""

import errno
import hashlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest

from oodkit.errors import CheckpointError, ModelNotFoundError, UsageError
from oodkit.synth.weights_at import weights_at

NAMES = ("model.safetensors", "pytorch_model.bin")
INSTEAD = "give the file: weights=PATH"
CONTENT = b"weights" * 1000
HASH = hashlib.sha256(CONTENT).hexdigest()


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; of one named short, half of what it announces."""

    def log_message(self, *_):
        pass

    def copyfile(self, source, outputfile):
        outputfile.write(source.read(3000 if "short" in self.path else -1))


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The address of a server of tmp_path/served; downloads go to tmp_path/hub."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    served = tmp_path / "served"
    served.mkdir()
    (served / "weights.bin").write_bytes(CONTENT)
    (served / "short.bin").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(served))) as running:
        thread = Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_file_and_a_folder_by_path(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(CONTENT)
    for place in (tmp_path, tmp_path / "pytorch_model.bin"):
        found = weights_at(str(place), NAMES, INSTEAD)
        assert (found.place, found.name, found.sha256, found.revision) == (place, place.name, HASH, "")


def test_a_file_that_can_not_be_read_is_one_line(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "weights.bin").write_bytes(CONTENT)
    monkeypatch.setattr(hashlib, "file_digest", broken)
    with pytest.raises(CheckpointError, match=r"can't read .*weights\.bin: Input/output error; look at its permissions"):
        weights_at(str(tmp_path / "weights.bin"), NAMES, INSTEAD)


def test_the_best_name_of_a_folder_is_taken(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"old")
    (tmp_path / "model.safetensors").write_bytes(CONTENT)
    assert weights_at(str(tmp_path), NAMES, INSTEAD).sha256 == HASH


def test_a_folder_with_two_unknown_files_is_ambiguous(tmp_path):
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / name).write_bytes(CONTENT)
    with pytest.raises(ModelNotFoundError, match=r"has a\.safetensors, b\.safetensors of .*; name the weight file itself"):
        weights_at(str(tmp_path), NAMES, INSTEAD)


def test_a_hash_is_held_against_the_file(tmp_path):
    file = tmp_path / "weights.bin"
    file.write_bytes(CONTENT)
    assert weights_at(f"{file}#sha256={HASH.upper()}", NAMES, INSTEAD).sha256 == HASH
    with pytest.raises(CheckpointError, match=rf"have sha256 {HASH}, expected {'0' * 64}; if the hash is right, remove them"):
        weights_at(f"{file}#sha256={'0' * 64}", NAMES, INSTEAD)
    with pytest.raises(UsageError, match="#sha256= takes 64 hexadecimal digits, got 4; copy the whole hash"):
        weights_at(f"{file}#sha256=abcd", NAMES, INSTEAD)


def test_an_address_is_fetched_once(server, tmp_path):
    first = weights_at(f"{server}/weights.bin#sha256={HASH}", NAMES, INSTEAD)
    assert (first.place.read_bytes(), first.name, first.sha256) == (CONTENT, f"{server}/weights.bin", HASH)
    (tmp_path / "served" / "weights.bin").unlink()
    assert weights_at(f"{server}/weights.bin", NAMES, INSTEAD) == first


def test_files_of_one_name_at_two_places_are_kept_apart(server, tmp_path):
    (tmp_path / "served" / "other").mkdir()
    (tmp_path / "served" / "other" / "weights.bin").write_bytes(b"other")
    places = [weights_at(f"{server}/{path}", NAMES, INSTEAD).place for path in ("weights.bin", "other/weights.bin")]
    assert [place.read_bytes() for place in places] == [CONTENT, b"other"]


def test_what_can_not_be_fetched_is_one_line_and_leaves_nothing(server, tmp_path):
    for path, reason in (("none.bin", "File not found"), ("short.bin", "it broke off after 3000 of 7000 bytes")):
        with pytest.raises(ModelNotFoundError, match=rf"can't download {server}/{path}: {reason}; {INSTEAD}, or put the file at "):
            weights_at(f"{server}/{path}", NAMES, INSTEAD)
    with pytest.raises(ModelNotFoundError, match=r"can't download http://127\.0\.0\.1:1/x: .*refused; give the file"):
        weights_at("http://127.0.0.1:1/x", NAMES, INSTEAD)
    assert [path for path in (tmp_path / "hub").rglob("*") if path.is_file()] == []


def test_a_repository_out_of_reach_is_one_line(monkeypatch):
    """Also where the connection breaks in a way that only the hub's client knows."""

    def broken(*_, **__):
        raise LookupError("peer closed the connection")

    with pytest.raises(ModelNotFoundError, match=rf"can't download the weights of hf:owner/name@main: .*; {INSTEAD}, or copy"):
        weights_at("hf:owner/name@main", NAMES, INSTEAD)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", broken)
    with pytest.raises(ModelNotFoundError, match=rf"can't download the weights of hf:owner/name: .*; {INSTEAD}"):
        weights_at("hf:owner/name", NAMES, INSTEAD)
    monkeypatch.undo()
    with pytest.raises(UsageError, match=r"'hf:a/b/c' names no repository of the hub; write hf:OWNER/NAME or hf:OWNER/NAME@REV"):
        weights_at("hf:a/b/c", NAMES, INSTEAD)


def test_a_repository_in_the_cache_is_found_with_its_commit(tmp_path, monkeypatch):
    """As huggingface_hub lays it out: refs/main names the commit, whose files lie in snapshots/<commit>."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    commit = "c0ffee" * 6 + "abcd"
    folder = tmp_path / "models--owner--name"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    (folder / "snapshots" / commit).mkdir(parents=True)
    (folder / "snapshots" / commit / "pytorch_model.bin").write_bytes(CONTENT)
    found = weights_at("hf:owner/name", NAMES, INSTEAD)
    assert (found.place, found.sha256, found.revision) == (folder / "snapshots" / commit, HASH, commit)


def test_the_second_name_is_taken_where_a_repository_lacks_the_first(tmp_path, monkeypatch):
    """The way that older repositories are: a pickle, and a config.json or none."""
    from huggingface_hub.errors import RemoteEntryNotFoundError

    commit = tmp_path / "snapshots" / ("0" * 40)
    commit.mkdir(parents=True)
    (commit / "pytorch_model.bin").write_bytes(CONTENT)
    asked = []

    def download(repository, name, revision):
        asked.append((repository, name, revision))
        if name != "pytorch_model.bin":
            raise RemoteEntryNotFoundError("404", response=SimpleNamespace(headers={}, request=None))
        return str(commit / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    found = weights_at("hf:owner/name@v1", NAMES, INSTEAD)
    assert (found.place, found.name, found.revision) == (commit, "hf:owner/name@v1", "0" * 40)
    assert asked == [("owner/name", name, "v1") for name in (*NAMES, "config.json")]
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: download("owner/name", "none", ""))
    with pytest.raises(
        ModelNotFoundError, match=r"hf:owner/name has none of model\.safetensors, pytorch_model\.bin; give the file"
    ):
        weights_at("hf:owner/name", NAMES, INSTEAD)
