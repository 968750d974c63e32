"""The results as CSV: read back they are what the document has, and no spreadsheet or terminal obeys them."""

import csv
import io
import json
from dataclasses import fields

import pytest

from oodkit.evaluation import Result
from oodkit.report.rows_csv import CHANGE, COLUMNS, ESTIMATES, cell, render_csv
from oodkit.wording import printable


def read_back(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def original(text: str) -> str:
    return text.removeprefix("'")


def test_every_figure_is_read_back_in_full_precision(compared_run):
    document = compared_run.document
    rows = read_back(render_csv(document))
    results = [result for model in document["models"] for result in model["results"]]
    assert len(rows) == len(results) > 20
    for row, result in zip(rows, results, strict=True):
        for name in ("n_fit", "n_id", "n_ood"):
            assert int(row[name]) == result[name]
        for name in ESTIMATES:
            assert {
                "value": float(row[name]),
                "low": float(row[f"{name}_low"]),
                "high": float(row[f"{name}_high"]),
            } == result[name]
        assert [float(row["aupr_in"]), float(row["aupr_out"])] == [result["aupr_in"], result["aupr_out"]]
        assert json.loads(row["settings"]) == result["settings"]
        for name in ("model", "head", "scorer", "spec", "fits_on", "id_set", "ood_set", "group", "tuned", "reason"):
            assert original(row[name]) == printable(result[name] or "")
        assert original(row["notes"]) == "; ".join(result["notes"])


def test_what_is_null_is_empty(document):
    rows = [row for row in read_back(render_csv(document)) if row["reason"]]
    assert rows
    for row in rows:
        assert {row[name] for name in COLUMNS if name.startswith(("auroc", "fpr", "aupr"))} == {""}


def test_the_columns_are_those_of_a_result_with_the_intervals_limits():
    named = {one.name for one in fields(Result)}
    assert set(COLUMNS) == named | {f"{name}_{limit}" for name in ESTIMATES for limit in ("low", "high")}
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_lines_end_as_those_of_any_text_file_and_hold_no_control_character(document):
    text = render_csv(document)
    assert text.count("\n") == 1 + len(document["models"][0]["results"])
    assert not [char for char in text if char != "\n" and not char.isprintable()]


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "＝1", "-", "'=1", "'", "'quoted'"])
def test_no_spreadsheet_runs_a_name_and_the_name_is_not_lost(text):
    assert cell(text) == f"'{text}"
    assert original(cell(text)) == text


@pytest.mark.parametrize("text", ["-1", "+0.5", "1e-5", "resnet50.tv2", "a=1", "", " =1"])
def test_ordinary_texts_and_numbers_are_written_as_they_are(text):
    assert cell(text) == text


@pytest.mark.parametrize(("text", "expected"), [("\t=1", r"\t=1"), ("\r=1", r"\r=1"), ("a\nb\x1b", r"a\nb\x1b")])
def test_control_characters_are_spelled(text, expected):
    assert cell(text) == expected


@pytest.mark.parametrize("name", ['a,"b"', "=cmd|' /C calc'!A0", "a;b", "漢 🙂"])
def test_a_name_with_the_signs_of_the_format_comes_back(document, name):
    document["models"][0]["results"][0]["ood_set"] = name
    assert original(read_back(render_csv(document))[0]["ood_set"]) == name


def test_of_a_repair_the_repaired_models_lines_have_the_difference(repaired_run):
    """Those of the model before it are empty there."""
    document = repaired_run.document
    rows = read_back(render_csv(document))
    assert list(rows[0]) == [*COLUMNS, *CHANGE]
    before, after = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    assert {row[name] for row in before for name in CHANGE} == {""}
    changes = {(one["scorer"], one["ood_set"]): one for one in document["repair"]["changes"]}
    assert len(after) == len(changes)
    names = {str(cell(name)): name for _, name in changes}
    for row in after:
        one = changes[row["scorer"], names[row["ood_set"]]]
        figures = [float(row[name]) for name in CHANGE[1:6]]
        assert figures == [*(one["difference"][key] for key in ("difference", "low", "high", "p_value")), one["p_holm"]]
        assert (original(row["against"]), row["changed"]) == (document["repair"]["before"], str(one["changed"]))


def test_a_diagnosis_has_no_columns_of_a_repair(document):
    assert list(read_back(render_csv(document))[0]) == list(COLUMNS)
