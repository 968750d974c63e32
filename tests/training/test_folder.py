"""What a folder says of the run in it, whoever wrote it."""

import json

import pytest

from oodkit.errors import UsageError
from oodkit.training.folder import is_finished, read_run, trained_on, write_run

RUN = {"kind": "training", "status": "finished", "asked": {"sets": {"data": {"spec": "demo:digits:train", "fingerprint": "1"}}}}


def test_what_was_written_is_read(tmp_path):
    write_run(tmp_path, RUN)
    assert read_run(tmp_path) == RUN
    assert trained_on(f"local-dir:{tmp_path}") == "demo:digits:train"


def test_a_run_is_finished_while_its_network_is_there(tmp_path):
    assert not is_finished(tmp_path, RUN)
    (tmp_path / "model.safetensors").touch()
    assert is_finished(tmp_path, RUN)
    assert not is_finished(tmp_path, {**RUN, "status": "unfinished"})


def test_a_folder_without_a_run_is_free(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert read_run(tmp_path) is None
    assert read_run(tmp_path / "nowhere") is None
    for model in ("resnet18", "demo:digits-v1", f"local-dir:{tmp_path}", "local-dir:nowhere"):
        assert trained_on(model) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "{}", '{"kind": "training"}', json.dumps({**RUN, "asked": 3}), "[" * 100_000, "\ud800"]
)
def test_a_training_json_of_somebody_else_is_no_run(tmp_path, text):
    (tmp_path / "training.json").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(UsageError, match=r"has a training.json and no training of oodkit's beside it"):
        read_run(tmp_path)
    assert trained_on(f"local-dir:{tmp_path}") is None


def test_an_odd_run_names_no_images(tmp_path):
    write_run(tmp_path, {**RUN, "asked": {"sets": {"data": 3}}})
    assert trained_on(f"local-dir:{tmp_path}") is None
