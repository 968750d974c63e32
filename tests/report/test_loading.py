"""A result is held against its schema before anything reads it; one that is damaged, or of another kind or version, is told."""

import re

import pytest

from oodkit.errors import InputError
from oodkit.report import loading
from oodkit.report.document import SCHEMA
from oodkit.report.runs import load_run, save_run

from .made_run import document_of, whole_run, write_result


@pytest.fixture
def folder(tmp_path):
    return save_run(whole_run(), tmp_path / "run").parent


@pytest.mark.parametrize("name", ["../result.json", "/etc/hostname", "ab.svg", "A1.png"])
def test_a_thumbnail_of_another_name_is_no_thumbnail(folder, name):
    write_result(folder, document_of(name))
    with pytest.raises(InputError, match=r"has models\[0\]\.extremes\.accepted\..*\[0\]\.thumbnail not as it must be \(pattern: "):
        load_run(folder)


@pytest.mark.parametrize("text", ["{", "", "[" * 10**5, '{"auroc": NaN}', '{"auroc": -1e999}', f"[{'9' * 400}]", "\xff"])
def test_a_damaged_result_is_told(folder, text):
    (folder / "result.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"result.json is damaged: .*; diagnose again$"):
        load_run(folder)


@pytest.mark.parametrize(
    "document", [[], {}, {"kind": "diagnose"}, {"kind": "diagnose", "schema": "2"}, {"kind": 3, "schema": 2}, {"schema": True}]
)
def test_json_of_another_program_is_told(folder, document):
    write_result(folder, document)
    with pytest.raises(InputError, match=r"is no result of oodkit: expected an object with a kind and a schema"):
        load_run(folder)


def test_another_kind_is_told(folder):
    write_result(folder, document_of(kind="com\x1bpare"))
    with pytest.raises(
        InputError, match=r"is of the kind 'com\\x1bpare', expected 'diagnose' or 'augdelete'; give a run of one of these$"
    ):
        load_run(folder)


def test_an_older_schema_comes_with_the_command_to_type(folder):
    write_result(folder, document_of(schema=SCHEMA - 1))
    expected = (
        rf"made by an older oodkit \(schema {SCHEMA - 1}, now {SCHEMA}\); diagnose again: oodkit diagnose net --id x\\x1b\[2J$"
    )
    with pytest.raises(InputError, match=expected):
        load_run(folder)


def test_a_newer_schema_asks_for_a_newer_oodkit(folder):
    write_result(folder, document_of(schema=SCHEMA + 1))
    with pytest.raises(InputError, match=rf"made by a newer oodkit \(schema {SCHEMA + 1}, here {SCHEMA}\); update oodkit$"):
        load_run(folder)


@pytest.mark.parametrize(
    ("models", "misfit"),
    [
        (None, "has models not as it must be (type: array)"),
        ([], "has models not as it must be (minItems: 1)"),
        ([{}], "lacks models[0].name"),
    ],
)
def test_a_result_that_lacks_what_it_must_have_is_told(folder, models, misfit):
    write_result(folder, document_of(models=models, oodkit="0.1.0\x1b"))
    told = rf"result\.json, made by oodkit 0\.1\.0\\x1b, {re.escape(misfit)}; diagnose again: oodkit diagnose net --id x\\x1b\[2J$"
    with pytest.raises(InputError, match=told):
        load_run(folder)


@pytest.mark.parametrize(
    ("value", "misfit"),
    [
        ({"scorer": "knn", "accepted": {}}, "lacks models[0].extremes.rejected"),
        (3, "has models[0].extremes not as it must be (type: object)"),
    ],
)
def test_of_what_may_be_null_is_told_what_it_lacks(folder, value, misfit):
    document = document_of()
    document["models"][0]["extremes"] = value
    write_result(folder, document)
    with pytest.raises(InputError, match=re.escape(misfit)):
        load_run(folder)


def test_a_huge_result_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(loading, "LARGEST_RESULT", 2**20)
    (folder / "result.json").write_bytes(b" " * 2**20 + b"{}")
    with pytest.raises(InputError, match="is larger than 1 MiB, no result is; give another run"):
        load_run(folder)
