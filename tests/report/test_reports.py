"""Remarks, and the terminal: it tells all that is to be told, and does not obey what a file or a set is named."""

import pytest

from oodkit.report.remarks import remarks, scorers_best_first, set_remarks, summary_result
from oodkit.report.terminal import print_document
from oodkit.wording import printable


@pytest.fixture
def printed(document, capsys) -> str:
    print_document(document)
    return capsys.readouterr().out


def test_every_remark_is_told(document, printed):
    """The caution on negative features, the held-out tenth, reasons, the facts' notes, the sets' notes and skipped files."""
    told = remarks(document["models"][0]) + [line for one in document["sets"] for line in set_remarks(one)]
    for part in ("never negative", "stratified 10 %", "not scored, ", "no baseline: none is <known>", "note: classes are matched"):
        assert any(part in line for line in told), part
    assert [line for line in told if printable(line) not in printed] == []


def test_scorers_stand_best_first_and_those_without_figures_last(document, printed):
    model = document["models"][0]
    order = scorers_best_first(model)
    aurocs = [row["auroc"]["value"] for row in (summary_result(model, scorer) for scorer in order) if row["auroc"]]
    assert aurocs == sorted(aurocs, reverse=True)
    assert 0 < len(aurocs) < len(order)
    places = [printed.rindex(f"\n{scorer} ") for scorer in order]
    assert places == sorted(places)


def model_of(rows):
    return {"results": rows, "facts": {"notes": []}}


def test_one_reason_of_several_scorers_is_told_once():
    rows = [{"scorer": name, "reason": f"{name} learns from images", "notes": []} for name in ("knn", "vim")]
    assert remarks(model_of(rows)) == ["knn, vim: not scored, learns from images"]


def test_one_note_of_several_scorers_is_told_once():
    rows = [{"scorer": name, "reason": None, "notes": [f"{name} assumes a ReLU; seen so"]} for name in ("ash-b", "scale")]
    assert remarks(model_of(rows)) == ["ash-b, scale: assumes a ReLU; seen so"]


def test_what_several_scorers_have_in_common_is_told_once_whatever_signs_are_in_it():
    tenth = "learnt from a tenth; drawn by the seed"
    notes = {"knn": ["the bank holds 5%; fraction=1 takes all", tenth], "gen": [], "vra": [tenth]}
    rows = [{"scorer": name, "reason": None, "notes": own} for name, own in notes.items()]
    assert remarks(model_of(rows)) == ["knn: the bank holds 5%; fraction=1 takes all", f"knn, vra: {tenth}"]


def test_of_many_skipped_files_the_first_ten_are_named(document):
    lines = set_remarks(document["sets"][1])
    assert [line[:10] for line in lines[:10]] == [f"skipped {i:02}" for i in range(10)]
    assert lines[10:] == ["skipped 2 more; the JSON names them"]


def test_no_name_is_obeyed_by_a_terminal(document, printed):
    """Escape, C1 and carriage return would move the cursor or set the title; brackets would be rich's markup."""
    assert not [char for char in printed if char != "\n" and not char.isprintable()]
    assert r"[red]\x1b[31m\x9b2J--><script>alert('set')</script>" in printed
    assert r"skipped 00<img src=x onerror=alert(1)>\x1b]0;owned\x07\r\n[bold]\udcff.png: not an <image>\x1b[2J" in printed


def test_a_table_wider_than_any_terminal_keeps_every_digit(document, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    rows = document["models"][0]["results"]
    document["models"][0]["results"] = [{**row, "ood_set": f"a-rather-long-name-{i}"} for i in range(30) for row in rows]
    print_document(document)
    printed = capsys.readouterr().out
    assert "a-rather-long-name-29" in printed
    assert "…" not in printed
