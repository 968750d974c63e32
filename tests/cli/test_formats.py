"""One result in several forms, and what becomes of a run whose report can't be written."""

import json

import pytest

from oodkit.cli import formats
from oodkit.cli.formats import RENDERERS, chosen
from oodkit.cli.options import CompareFormat, Format, ReportFormat
from oodkit.errors import OodkitError
from oodkit.report import html

FAST = ("--scorer", "mls", "--baseline", "none")


@pytest.fixture
def words(demo_sets):
    return ("diagnose", "demo:digits-v1", *demo_sets, *FAST)


def test_every_form_has_its_renderer_and_is_told_again_by_the_report():
    assert set(RENDERERS["diagnose"]) == set(RENDERERS["augdelete"]) == set(Format)
    assert set(map(str, RENDERERS["compare"])) == set(map(str, CompareFormat))
    assert set(map(str, ReportFormat)) == {"html", *map(str, Format)}


def test_json_is_short_for_the_format(run, words):
    found = [json.loads(run(*words, *more).out) for more in (["--json"], ["--format", "json"])]
    assert len({json.dumps({**document, "created": "", "command": ""}) for document in found}) == 1


@pytest.mark.parametrize(
    ("form", "as_json", "expected"),
    [
        (None, False, "text"),
        (None, True, "json"),
        (Format.json, True, "json"),
        (Format.text, False, "text"),
        (Format.csv, False, "csv"),
    ],
)
def test_text_is_the_default_and_json_may_be_said_twice(form, as_json, expected):
    assert chosen(form, as_json) == expected


@pytest.mark.parametrize("command", [("demo",), ("diagnose", "demo:digits-v1")])
def test_forms_that_contradict_each_other_are_a_usage_error_before_any_work(run, tmp_path, command):
    ran = run(*command, "--json", "--format", "text")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: --json and --format text contradict each other; give one of them\n"
    assert list(tmp_path.iterdir()) == []


def test_a_form_that_there_is_not_is_a_usage_error(run):
    ran = run("diagnose", "demo:digits-v1", "--format", "html")
    assert ran.code == 2
    assert "'html' is not one of 'text', 'json', 'markdown', 'csv', 'model-card'" in " ".join(ran.err.replace("│", "").split())


def test_a_run_prints_its_result_as_rendered_for_a_file(run, words, monkeypatch):
    """Every form to the last line break, one, and without a colour, whatever a terminal is asked for."""
    printed = run(*words, "--format", "markdown").out
    document = json.loads(run("report", "--format", "json").out)
    assert formats.rendered(document, Format.markdown) == printed
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1m" in run("report", "--format", "text").out
    for form in Format:
        text = formats.rendered(document, form)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert "\x1b" not in text


def test_a_report_that_fails_loses_neither_the_run_nor_what_it_prints(run, words, tmp_path, monkeypatch):
    def fail(*_):
        raise OodkitError("can't write report.html: No space left on device; free some space or choose another folder")

    monkeypatch.setattr(html, "write_html", fail)
    ran = run(*words, "--report", "report.html")
    assert ran.code == 1
    assert "Verdict" in ran.out
    assert ran.err.splitlines()[-2:] == [
        "written: oodkit-runs/diagnose-001/result.json",
        "error: can't write report.html: No space left on device; free some space or choose another folder",
    ]
    assert (tmp_path / "oodkit-runs/diagnose-001/result.json").is_file()


def test_a_report_in_the_run_folder_is_that_of_the_command_which_wrote_it(run, words, tmp_path):
    page = tmp_path / "out" / "report.html"
    assert run(*words, "--output", "out").code == run("report", "out").code == 0
    assert run(*words, "--output", "out").code == 0
    assert not page.exists()
    for _ in range(2):
        assert run(*words, "--output", "out", "--report", "out/report.html").code == 0
        assert page.is_file()


def test_what_was_written_is_named(run, words):
    assert run(*words, "--report", "page.html").err.splitlines()[-1] == "written: oodkit-runs/diagnose-001/result.json, page.html"
    assert run(*words, "--report", "page.html", "--quiet").out == "oodkit-runs/diagnose-002/result.json\npage.html\n"


def test_a_run_that_cannot_be_stored_whole_is_printed_and_reported_all_the_same(run, words, tmp_path):
    (tmp_path / "out" / "scores.safetensors").mkdir(parents=True)
    ran = run(*words, "--output", "out", "--report", "page.html")
    assert ran.code == 1
    assert "Verdict" in ran.out
    written, error = ran.err.splitlines()[-2:]
    assert written == "written: page.html"
    assert error.startswith("error: out/result.json is written, but not all that belongs beside it: can't write out/scores.")
    assert json.loads((tmp_path / "out/result.json").read_text())["models"]
    assert (tmp_path / "page.html").is_file()


def test_a_run_without_a_folder_is_printed_and_reported_all_the_same(run, words, tmp_path, monkeypatch):
    """The disk has filled up since it was looked at, before the work began."""

    def full(_):
        raise OodkitError("can't make oodkit-runs/diagnose-001: No space left on device; give --output FOLDER")

    monkeypatch.setattr("oodkit.cli.diagnosing.new_folder", full)
    ran = run(*words, "--report", "page.html")
    assert ran.code == 1
    assert "Verdict" in ran.out
    assert ran.err.splitlines()[-2:] == [
        "written: page.html",
        "error: can't make oodkit-runs/diagnose-001: No space left on device; give --output FOLDER",
    ]
    assert (tmp_path / "page.html").is_file()


def test_a_run_that_cannot_be_stored_at_all_is_printed_all_the_same(run, words, monkeypatch):
    def fail(*_):
        raise OodkitError("can't write result.json: No space left on device; free some space or choose another folder")

    monkeypatch.setattr("oodkit.cli.diagnosing.save_run", fail)
    ran = run(*words)
    assert (ran.code, ran.err.splitlines()[-1][:30]) == (1, "error: can't write result.json")
    assert "Verdict" in ran.out
    assert "written" not in ran.err
    assert run(*words, "--quiet").out == ""
