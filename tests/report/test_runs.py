"""A run comes back from disk as it was saved; one that is stopped, and files of it that are damaged, missing or from elsewhere."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from oodkit.errors import InputError, OodkitError, UsageError
from oodkit.report import runs
from oodkit.report.runs import Run, load_run, save_run

from .made_run import GOLDEN, JPG, PNG, SET, document_of, scores_of, whole_run, write_result


@pytest.fixture
def saved() -> Run:
    return whole_run()


@pytest.fixture
def folder(saved, tmp_path):
    return save_run(saved, tmp_path / "run").parent


def facts_of(folder) -> dict[str, str]:
    """The file of scores is of this form and of this result; without checksums, as those of older versions."""
    with safe_open(folder / "scores.safetensors", "np") as file:
        return {name: file.metadata()[name] for name in ("format", "result")}


def test_a_run_comes_back_as_it_was(saved, folder):
    """Names that are no UTF-8, numbers bit for bit in their own precision, whatever the order of an array in memory."""
    for path in (folder, folder / "result.json"):
        loaded = load_run(path)
        assert (loaded.document, loaded.thumbnails) == (saved.document, saved.thumbnails)
        assert [*loaded.scores] == ["net.1", "none"]
        assert [*loaded.scores["net.1"]["knn:k=5"]] == ["id", SET]
        for scorer, by_set in saved.scores["net.1"].items():
            for name, values in by_set.items():
                found = loaded.scores["net.1"][scorer][name]
                assert found.dtype == values.dtype
                np.testing.assert_array_equal(found, values)


def test_which_images_were_right_comes_back_and_older_runs_have_none(saved, tmp_path):
    """Names that are no UTF-8 here too; whether an image was right is a byte."""
    marks = {SET: np.array([1, 0, 2, 1], np.uint8), "net.1": np.ones(9, np.uint8)[::2]}
    loaded = load_run(save_run(replace(saved, correct=marks), tmp_path / "new").parent)
    assert [*loaded.correct] == [*marks]
    for name, values in marks.items():
        assert loaded.correct[name].dtype == np.uint8
        np.testing.assert_array_equal(loaded.correct[name], values)
    assert [*loaded.scores] == ["net.1", "none"]
    assert load_run(GOLDEN).correct == {}


@pytest.mark.parametrize(
    ("correct", "whole"), [('["net"]', False), ("3", False), ("[[]]", False), ("{", False), ('["a", "b"]', True), ("[]", True)]
)
def test_marks_that_are_none_are_left_out(folder, saved, correct, whole):
    """Of the wrong kind they are no marks; where the file does not hold what it says, none of it counts."""
    facts = facts_of(folder) | {"names": '{"net": {"mls": ["id"]}}', "correct": correct}
    bad = {"correct.0": np.zeros(3), "correct.1": np.zeros((3, 1), np.uint8)} if whole else {}
    save_file({"0.0.0": np.zeros(3), **bad}, folder / "scores.safetensors", facts)
    loaded = load_run(folder)
    assert (loaded.correct, [*loaded.scores]) == ({}, ["net"] if whole else [])


def test_whoever_may_read_one_file_of_a_run_may_read_all(folder):
    assert len({path.stat().st_mode for path in folder.rglob("*") if path.is_file()}) == 1


def test_a_run_written_over_another_leaves_nothing_of_it(folder):
    """Its thumbnails go, one that both show stays, and files that are none of ours stay."""
    for name in ("mine.png", "0A1B.png", "ab.gif"):
        (folder / "thumbnails" / name).write_bytes(b"")
    save_run(Run(document_of(JPG, "77.png"), scores_of(1), {JPG: b"second", "77.png": b"third"}), folder)
    assert {path.name for path in (folder / "thumbnails").iterdir()} == {JPG, "77.png", "mine.png", "0A1B.png", "ab.gif"}
    np.testing.assert_array_equal(load_run(folder).scores["net.1"]["mls"]["id"], scores_of(1)["net.1"]["mls"]["id"])


def test_a_run_written_over_another_takes_its_report_away(folder, saved):
    """It would tell of another model than the result beside it."""
    for name in ("report.html", "mine.html"):
        (folder / name).write_text("the model before")
    save_run(saved, folder)
    assert not (folder / "report.html").exists()
    assert (folder / "mine.html").exists()


def test_a_folder_that_was_no_run_keeps_its_pictures_and_pages(saved, tmp_path):
    (tmp_path / "thumbnails").mkdir()
    mine = [tmp_path / "thumbnails" / "abc123.png", tmp_path / "report.html"]
    for path in mine:
        path.write_bytes(b"of mine")
    save_run(saved, tmp_path)
    assert all(path.exists() for path in mine)


@pytest.mark.parametrize("stopped_at", ["0123.png", "scores.safetensors", "result.json"])
def test_a_run_that_is_stopped_while_written_never_shows_its_scores_beside_the_old_result(folder, saved, monkeypatch, stopped_at):
    real = runs.write_atomically

    def stop(path, write):
        if path.name == stopped_at:
            raise KeyboardInterrupt
        real(path, write)

    monkeypatch.setattr(runs, "write_atomically", stop)
    with pytest.raises(KeyboardInterrupt):
        save_run(Run(document_of("0123.png", created="later"), scores_of(1), {"0123.png": b"third"}), folder)
    loaded = load_run(folder)
    assert (loaded.document, loaded.thumbnails) == (saved.document, saved.thumbnails)
    if stopped_at == "result.json":
        assert loaded.scores == {}
    else:
        np.testing.assert_array_equal(loaded.scores["net.1"]["mls"]["id"], saved.scores["net.1"]["mls"]["id"])


def test_scores_belong_to_a_result_whatever_its_layout_is(folder):
    """Another program may have sorted its keys, as ``jq -S`` does."""
    for sort_keys in (False, True):
        write_result(folder, json.dumps(load_run(folder).document, sort_keys=sort_keys))
        assert load_run(folder).scores.keys() == {"net.1", "none"}


def test_scores_that_were_read_from_stay_those_of_their_run(folder, saved):
    loaded = load_run(folder)
    save_run(Run(document_of(PNG, JPG), scores_of(1), saved.thumbnails), folder)
    np.testing.assert_array_equal(loaded.scores["net.1"]["mls"]["id"], saved.scores["net.1"]["mls"]["id"])


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(folder):
    for name in ("scores.safetensors", "result.json"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
        if name == "scores.safetensors":
            assert load_run(folder).scores == {}
    with pytest.raises(UsageError, match=r"it has no result\.json"):
        load_run(folder)


@pytest.mark.parametrize("contents", [None, b"", b"no tensors", b"\x02\0\0\0\0\0\0\0{}", b"\xff" * 64])
def test_scores_that_are_missing_or_damaged_leave_the_rest(folder, saved, contents):
    (folder / "scores.safetensors").unlink()
    if contents is not None:
        (folder / "scores.safetensors").write_bytes(contents)
    loaded = load_run(folder)
    assert (loaded.document, loaded.scores, loaded.thumbnails) == (saved.document, {}, saved.thumbnails)


@pytest.mark.parametrize("names", ["[]", "[" * 10**5, '{"net": 3}', '{"net": ["mls"]}', '{"net": {"mls": ["id", "more"]}}', "{"])
def test_names_that_do_not_fit_the_scores_leave_them_out(folder, saved, names):
    facts = facts_of(folder) | {"names": names}
    save_file({"0.0.0": np.zeros(3)}, folder / "scores.safetensors", facts)
    assert load_run(folder).scores == {}


def test_scores_of_a_type_that_numpy_lacks_are_damaged_ones(folder, saved):
    facts = facts_of(folder) | {"names": '{"net": {"mls": ["id"]}}'}
    save_torch_file({"0.0.0": torch.zeros(3).to(torch.float8_e4m3fn)}, folder / "scores.safetensors", facts)
    with pytest.raises(InputError, match="scores of id are not those that were written"):
        load_run(folder).scores["net"]["mls"]["id"]


def test_a_run_without_scores_has_none_of_the_run_before(folder, saved):
    save_run(Run(saved.document, {}, saved.thumbnails), folder)
    assert load_run(folder).scores == {}


def test_only_thumbnails_are_read_from_a_run_of_elsewhere(folder):
    """Not what lies outside the folder, not what a link leads to, nothing large, no device, and nothing under an endless name."""
    thumbnails = folder / "thumbnails"
    (thumbnails / "aa.png").symlink_to("/etc/hostname")
    (thumbnails / "bb.png").write_bytes(bytes(runs.LARGEST_THUMBNAIL + 1))
    os.mkfifo(thumbnails / "cc.png")
    write_result(folder, document_of("aa.png", "bb.png", "cc.png", "dd.png", "a" * 300 + ".png", f"{PNG}\n", PNG))
    assert load_run(folder).thumbnails == {PNG: b"first"}


def test_a_folder_without_a_result_is_no_run(tmp_path):
    with pytest.raises(UsageError, match=r"^no run in \S+: it has no result.json; give the folder of a run that has ended$"):
        load_run(tmp_path)


def test_a_result_that_is_no_json_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_run(Run(document_of(auroc=float("nan")), scores_of(0)), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_says_what_to_do(saved, tmp_path):
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(OodkitError, match=r"can't write .*; free some space or choose another folder"):
        save_run(saved, tmp_path / "run")


@pytest.mark.parametrize("blocked", ["scores.safetensors", "thumbnails"])
def test_a_result_is_stored_even_where_what_belongs_beside_it_cannot_be(saved, tmp_path, blocked):
    """The hours of work are in it; everything that can be written is, and the error says what is not."""
    folder = tmp_path / "run"
    in_the_way = folder / "scores.safetensors" / "mine" if blocked.startswith("scores") else folder / "thumbnails"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_bytes(b"mine")
    told = (
        rf"run.result\.json is written, but not all that belongs beside it: can't write \S*{blocked}\S*: .*choose another folder$"
    )
    with pytest.raises(OodkitError, match=told):
        save_run(saved, folder)
    loaded = load_run(folder)
    assert loaded.document == saved.document
    assert (loaded.scores == {}, loaded.thumbnails == {}) == (blocked != "thumbnails", blocked == "thumbnails")
    assert in_the_way.read_bytes() == b"mine"


def test_a_run_is_loaded_by_a_path_of_any_kind(run, tmp_path):
    save_run(run, tmp_path)
    assert load_run(str(tmp_path)).document == load_run(tmp_path).document
