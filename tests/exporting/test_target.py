"""An export takes the place of an earlier one and of nothing else, and is there whole or not at all."""

from pathlib import Path

import pytest

from oodkit.errors import NotApplicableError, OodkitError, UsageError
from oodkit.exporting.target import CARD, MARK, card_first, card_of, place_folder, require_own_place

FILES = ("config.json", CARD)


def own_folder(path):
    path.mkdir()
    (path / CARD).write_text(f"---\n---\n{MARK}\n")
    (path / "config.json").write_text("{}")
    return path


def test_what_is_not_there_may_be_written(tmp_path):
    require_own_place(tmp_path / "new", FILES)
    require_own_place(tmp_path / "new.safetensors")
    (tmp_path / "empty").mkdir()
    require_own_place(tmp_path / "empty", FILES)


def test_an_earlier_export_is_replaced_as_a_whole(tmp_path):
    folder = own_folder(tmp_path / "out")
    require_own_place(folder, FILES)
    place_folder(folder, lambda new: (new / CARD).write_text("new"))
    assert [path.name for path in folder.iterdir()] == [CARD]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["thesis.txt", ".git"])
def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path, name):
    folder = own_folder(tmp_path / "out")
    (folder / name).write_text("years of work")
    with pytest.raises(UsageError) as error:
        require_own_place(folder, FILES)
    assert str(error.value) == f"{folder} holds {name!r}, which oodkit export has not written; give -o another name"


def test_a_folder_of_the_same_names_by_others_is_left_alone(tmp_path):
    folder = own_folder(tmp_path / "out")
    (folder / CARD).write_text("# My model")
    with pytest.raises(UsageError, match="holds 'files of others', which oodkit export has not written"):
        require_own_place(folder, FILES)


def test_a_file_is_replaced_only_where_its_card_is_ours(tmp_path):
    path = tmp_path / "head.safetensors"
    path.write_text("weights")
    with pytest.raises(UsageError) as error:
        require_own_place(path)
    assert str(error.value) == f"{path} is there already and oodkit export has not written it; give -o another name"
    card_of(path, folder=False).write_text(f"---\n---\n{MARK}\n")
    require_own_place(path)


@pytest.mark.parametrize("name", ["net.onnx", "net.onnx.md", "net.onnx.data"])
def test_no_file_of_others_that_the_export_would_write_is_touched(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=rf"{name} is there already and oodkit export has not written it"):
        require_own_place(tmp_path / "net.onnx")


def test_the_card_of_one_export_says_nothing_of_a_file_of_nearly_its_name(tmp_path):
    card_of(tmp_path / "model.onnx", folder=False).write_text(f"---\n---\n{MARK}\n")
    (tmp_path / "model.safetensors").write_text("precious")
    with pytest.raises(UsageError, match=r"model.safetensors is there already and oodkit export has not written it"):
        require_own_place(tmp_path / "model.safetensors")


def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for path, files, what in (("file", FILES, "folder"), ("folder", None, "file"), ("link", FILES, "folder")):
        with pytest.raises(UsageError, match=f"{path} is no {what}; give -o another name"):
            require_own_place(tmp_path / path, files)


def test_what_fails_half_way_leaves_what_was_there(tmp_path):
    folder = own_folder(tmp_path / "out")

    def fill(new):
        (new / "config.json").write_text("half")
        raise OodkitError("the disk is gone")

    with pytest.raises(OodkitError, match="the disk is gone"):
        place_folder(folder, fill)
    assert (folder / "config.json").read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_disk_that_refuses_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OodkitError, match=r"can't write .*out: .*; free some space or choose another folder"):
        place_folder(tmp_path / "file" / "out", lambda new: None)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (OSError(28, "No space left"), (OodkitError, "can't write .*out: No space left; free")),
        (KeyboardInterrupt(), (KeyboardInterrupt, None)),
    ],
)
def test_where_the_new_one_can_not_take_its_place_the_old_one_does_again(tmp_path, monkeypatch, failure, told):
    folder, rename = own_folder(tmp_path / "out"), Path.replace

    def second_fails(source, target):
        if source.name.endswith(".new"):
            raise failure
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", second_fails)
    with pytest.raises(told[0], match=told[1]):
        place_folder(folder, lambda new: (new / CARD).write_text("new"))
    assert (folder / "config.json").read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_fails_to_be_made_is_not_told_of_as_a_full_disk(tmp_path):
    def fill(new):
        raise FileNotFoundError(2, "no such weights")

    with pytest.raises(FileNotFoundError, match="no such weights"):
        place_folder(tmp_path / "out", fill)
    assert list(tmp_path.iterdir()) == []


def test_a_card_is_there_before_its_file_and_is_as_it_was_where_that_fails(tmp_path):
    card = tmp_path / "net.onnx.md"
    for before in (None, f"{MARK} of the earlier export"):
        if before is not None:
            card.write_text(before)
        with pytest.raises(InterruptedError, match=MARK), card_first(card, MARK):
            raise InterruptedError(card.read_text())
        assert (card.read_text() if card.exists() else None) == before


def test_a_refusal_names_the_place_that_was_asked_for(tmp_path):
    def fill(new):
        raise NotApplicableError(f"local-dir:{new}: it does not load")

    with pytest.raises(NotApplicableError) as error:
        place_folder(tmp_path / "out", fill)
    assert str(error.value) == f"local-dir:{tmp_path / 'out'}: it does not load"
