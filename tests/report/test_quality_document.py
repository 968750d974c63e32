"""The document of an assessment: it fits its schema and nothing else does; stored, it is read again or refused in one line."""

import json
from copy import deepcopy
from dataclasses import fields

import jsonschema
import pytest

from oodkit.errors import InputError
from oodkit.report.html import render_html, write_html
from oodkit.report.loading import EVERY_KIND, load_document
from oodkit.report.runs import Run, load_run, save_run
from oodkit.synth.quality.found import ClassQuality, Copy, Nearest, Quality, SetQuality, Unseen

from .made_quality import SCHEMA, VALIDATOR, made, run_of


@pytest.fixture
def run() -> Run:
    return run_of(made())


def test_it_is_a_schema_whose_objects_are_closed_and_described():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for one in (SCHEMA, *SCHEMA["$defs"].values()):
        assert one["title"]
        assert one["description"]
        assert one["additionalProperties"] is False
        assert list(one["required"]) == list(one["properties"])
        assert all(value["description"] for value in one["properties"].values())


@pytest.mark.parametrize(
    ("name", "kind"), [("set", SetQuality), ("class", ClassQuality), ("nearest", Nearest), ("copy", Copy), ("unseen", Unseen)]
)
def test_its_keys_are_those_of_the_dataclasses_in_their_order(name, kind):
    assert list(SCHEMA["$defs"][name]["properties"]) == [one.name for one in fields(kind)]


def test_the_document_is_the_assessment_between_a_heading_and_the_images():
    keys = list(SCHEMA["properties"])
    assert keys[keys.index("extractor") :] == [*(one.name for one in fields(Quality)), "samples", "copies"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.update(sets=[]),
        lambda one: one["sets"][0].update(frechet=None),
        lambda one: one["sets"][0]["nearest"].pop("flagged"),
        lambda one: one["floor"].update(coverage=1.5),
        lambda one: one.update(extra=1),
        lambda one: one["samples"][0]["rows"][0].update(images=["a.png"]),
        lambda one: one["image_sets"][0].update(role="fake"),
    ],
)
def test_nothing_else_fits(run, spoil):
    other = deepcopy(run.document)
    spoil(other)
    assert not VALIDATOR.is_valid(other)


def test_it_is_stored_and_read_again_with_its_images(run, tmp_path):
    save_run(run, tmp_path)
    again = load_run(tmp_path, EVERY_KIND)
    assert again.document == run.document
    assert again.thumbnails == run.thumbnails
    write_html(again, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text("utf-8") == render_html(again)


def test_where_models_are_asked_for_it_is_refused(run, tmp_path):
    save_run(run, tmp_path)
    with pytest.raises(
        InputError, match=r"is of the kind 'quality', expected 'diagnose' or 'augdelete'; give a run of one of these$"
    ):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema": 0}, r"was made by an older oodkit \(schema 0, now 1\); measure again: oodkit synth quality"),
        ({"schema": 2}, r"was made by a newer oodkit \(schema 2, here 1\); update oodkit"),
        ({"sets": None}, r"has sets not as it must be \(type: array\); measure again: oodkit synth quality"),
    ],
)
def test_a_damaged_one_is_told(run, tmp_path, change, problem):
    (tmp_path / "result.json").write_text(json.dumps({**run.document, **change}))
    with pytest.raises(InputError, match=problem):
        load_document(tmp_path / "result.json", EVERY_KIND)
