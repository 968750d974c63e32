"""A finished run is told again from its folder alone."""

import json
import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from oodkit.cli import app

SETS = ("--id", "demo:digits", "--near", "unseen=demo:digits-unseen", "--scorer", "mls", "--scorer", "msp")
SMALL = ("--limit", "60", "--workers", "0", "--device", "cpu", "--baseline", "none")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One real run, with its report and what it printed: everything below is told from its files."""
    folder = tmp_path_factory.mktemp("made")
    words = ["diagnose", "demo:digits-v1", *SETS, *SMALL, "--cache", str(folder / "cache"), "--output", str(folder / "run")]
    done = CliRunner().invoke(app, [*words, "--report", str(folder / "page.html")])
    assert done.exit_code == 0, done.output
    shutil.rmtree(folder / "cache")
    return folder, done.stdout


@pytest.fixture
def last(made, tmp_path):
    """The same run as the one made last, below the folder that the test works in."""
    return shutil.copytree(made[0] / "run", tmp_path / "oodkit-runs" / "diagnose-001")


def test_the_page_is_the_one_that_the_run_wrote(run, made, last):
    ran = run("report")
    assert (ran.code, ran.out) == (0, "oodkit-runs/diagnose-001/report.html\n")
    assert ran.err.startswith("the run made last: oodkit-runs/diagnose-001, ")
    page = (last / "report.html").read_text()
    assert page == (made[0] / "page.html").read_text()
    assert "data:image/png;base64," in page


def test_the_tables_are_those_that_the_run_printed(run, made, last):
    for words in ([], ["--output", "tables.txt"]):
        ran = run("report", "diagnose-001", "--format", "text", *words)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == ("tables.txt\n" if words else made[1])
    assert (last.parents[1] / "tables.txt").read_text() == made[1]


def test_the_json_is_the_result_bit_for_bit(run, last):
    ran = run("report", str(last / "result.json"), "--format", "json")
    assert ran.out == (last / "result.json").read_text() + "\n"


def test_a_page_goes_where_it_is_asked_for_and_leaves_the_run_alone(run, last, tmp_path):
    before = {path: path.read_bytes() for path in last.rglob("*") if path.is_file()}
    ran = run("report", str(last), "-o", "new folder/page.html")
    assert (ran.code, ran.out) == (0, "new folder/page.html\n")
    assert (tmp_path / "new folder/page.html").stat().st_size > 10_000
    assert {path: path.read_bytes() for path in last.rglob("*") if path.is_file()} == before


def test_of_a_result_file_the_page_goes_beside_it(run, last):
    assert run("report", str(last / "result.json")).code == 0
    assert (last / "report.html").is_file()


def test_a_page_needs_neither_scores_nor_thumbnails(run, last):
    (last / "scores.safetensors").unlink()
    shutil.rmtree(last / "thumbnails")
    assert run("report", str(last)).code == 0
    assert "data:image/png;base64," not in (last / "report.html").read_text()


def test_a_run_that_is_not_there_is_a_usage_error(run, last):
    ran = run("report", "diagnose-009")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: no run diagnose-009: there is no such folder; oodkit-runs has diagnose-001; or give the path of a run's folder\n"
    )


def test_a_run_of_an_older_oodkit_comes_with_its_command(run, last):
    document = json.loads((last / "result.json").read_text())
    (last / "result.json").write_text(json.dumps({**document, "schema": 1}))
    ran = run("report")
    assert (ran.code, ran.out) == (3, "")
    assert "was made by an older oodkit (schema 1, now 2); diagnose again: " in ran.err.splitlines()[-1]


def test_a_folder_in_the_place_of_the_file_is_refused_before_anything_is_read(run, tmp_path):
    ran = run("report", "--output", str(tmp_path))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"error: --output {tmp_path} is a folder; give the name of a file, such as report.html\n"


def test_a_run_folder_that_cannot_be_written_asks_for_a_file(run, last, monkeypatch):
    """As one on a colleague's disk; root, who may run the tests, can write anywhere, so the system's answer is put in."""
    monkeypatch.setattr("oodkit.cli.runs.TemporaryDirectory", Mock(side_effect=PermissionError(13, "Permission denied")))
    ran = run("report", "diagnose-001")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("diagnose-001/report.html: Permission denied; give --output FILE where you can\n")
    assert not (last / "report.html").exists()


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_form_never_takes_the_place_of_the_result(run, last, form):
    before = (last / "result.json").read_bytes()
    ran = run("report", "diagnose-001", "--format", form, "-o", str(last / "result.json"))
    told = f"error: --output {last}/result.json would take the place of the run's result; give the name of another file\n"
    assert (ran.code, ran.err) == (2, told)
    assert (last / "result.json").read_bytes() == before


def test_a_page_is_not_written_under_another_forms_name(run, last):
    ran = run("report", "-o", "out.md")
    assert ran.code == 2
    assert "--output out.md would hold a page of HTML; give FILE.html, or --format for another form" in ran.err
    assert not Path("out.md").exists()


def test_a_file_of_another_kind_is_no_damaged_run(run, last):
    page = last / "page.html"
    page.write_text("<!doctype html>", encoding="utf-8")
    ran = run("report", str(page))
    assert ran.code == 3
    assert ran.err == f"error: {page} is no result of oodkit, which is a .json file; give the folder of a run\n"


@pytest.fixture(scope="module")
def repaired(tmp_path_factory):
    """A real repair, and what it printed."""
    folder = tmp_path_factory.mktemp("repaired")
    words = ["augdelete", "demo:digits-v2", *SETS, *SMALL, "--train", "demo:digits:train", "--frac", "0.5,1"]
    done = CliRunner().invoke(app, [*words, "--cache", str(folder / "cache"), "--output", str(folder / "run")])
    assert done.exit_code == 0, done.output
    shutil.rmtree(folder / "cache")
    return folder / "run", done.stdout


def test_a_repair_is_told_again_in_every_form(run, repaired, tmp_path):
    """As it was printed, from its result alone; every form tells of the model before and after."""
    shutil.copy(repaired[0] / "result.json", tmp_path)
    for form in ("text", "json", "markdown", "csv", "model-card", "html"):
        ran = run("report", "result.json", "--format", form, "-o", "told.html")
        assert (ran.code, ran.out) == (0, "told.html\n")
        told = (tmp_path / "told.html").read_text()
        assert "demo:digits-v2 + AugDelete" in told
        if form == "text":
            assert told == repaired[1]


def test_a_repair_is_taken_by_report_as_the_run_made_last(run, repaired, last):
    shutil.copytree(repaired[0], last.parent / "augdelete-001")
    ran = run("report")
    assert (ran.code, ran.out) == (0, "oodkit-runs/augdelete-001/report.html\n")


def test_a_repair_is_compared_with_a_diagnosis(run, repaired, last):
    """Its two models stand beside that run's; those of one run have read the same images."""
    ran = run("compare", "diagnose-001", str(repaired[0]), "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert [one["name"] for one in told["models"]] == ["demo:digits-v1", "demo:digits-v2", "demo:digits-v2 + AugDelete"]
    assert {row["against"]["paired"] for row in told["results"] if row["against"]} == {"all"}


def test_a_repair_whose_result_lacks_a_key_comes_with_its_command(run, repaired, last):
    document = json.loads((repaired[0] / "result.json").read_text())
    del document["repair"]["shares"][0]["frac"]
    (last / "result.json").write_text(json.dumps({**document, "command": "oodkit augdelete demo:digits-v2"}))
    ran = run("report", str(last))
    assert ran.code == 3
    assert ran.err.endswith("lacks repair.shares[0].frac; repair again: oodkit augdelete demo:digits-v2\n")
