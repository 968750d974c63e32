"""A synthesis that was stopped is never taken for a whole set; whatever else lies beside images is nobody's business."""

import json
import os
from pathlib import Path

import pytest

from oodkit.errors import UsageError
from oodkit.images import open_images
from oodkit.images.synthesis import require_finished

STOPPED = {"kind": "synthesis", "status": "unfinished", "asked": {"per_class": 9, "classes": ["cat", "dog", "fox"]}}


def of_folder(folder, document, limit=None):
    (folder / "run.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return open_images(folder, limit=limit)


@pytest.mark.parametrize("limit", [None, 3])
def test_an_unfinished_synthesis_is_refused_with_how_far_it_is_and_the_way_out(image_folder, limit):
    folder = image_folder(each=2)
    with pytest.raises(UsageError) as refused:
        require_finished(of_folder(folder, STOPPED, limit))
    assert str(refused.value) == f"{folder} is an unfinished synthesis, 6 of 27 images; the same oodkit synth command goes on"


@pytest.mark.parametrize(
    ("asked", "told"), [({"count": 50, "quota": None}, "6 of 50 images;"), ({}, "6 images so far;"), ([], "6 images so far;")]
)
def test_so_is_one_without_classes_and_one_that_does_not_say_of_how_many(image_folder, asked, told):
    with pytest.raises(UsageError, match=f"an unfinished synthesis, {told}"):
        require_finished(of_folder(image_folder(each=2), STOPPED | {"asked": asked}))


@pytest.mark.parametrize("document", [STOPPED | {"status": "finished"}, STOPPED | {"kind": "training"}, [], "{", "[" * 99999, "\0"])
def test_a_finished_one_and_any_other_run_json_are_no_hindrance(image_folder, document):
    require_finished(of_folder(image_folder(), document))


def test_neither_is_a_pipe_of_that_name_which_would_be_waited_for(image_folder, monkeypatch):
    folder = image_folder()
    os.mkfifo(folder / "run.json")
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: pytest.fail("it was read"))
    require_finished(open_images(folder))


def test_neither_are_sets_that_are_no_folders():
    require_finished(open_images("demo:digits:val", limit=4))
