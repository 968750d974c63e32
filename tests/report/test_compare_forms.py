"""A comparison in every form: all tell the same, and names stay names."""

import csv
import io
import re
from html import unescape

import numpy as np
from markdown_it import MarkdownIt

from oodkit.report.compare import BEST
from oodkit.report.compare_forms import comparison_csv, comparison_markdown
from oodkit.report.compare_sheets import remarks_on, sheets
from oodkit.report.terminal import print_comparison

from .compared_runs import PLAIN


def test_text_and_markdown_tell_the_same_and_no_name_becomes_markup(pair, compare, capsys):
    document = compare(published=True)
    print_comparison(document)
    text = capsys.readouterr().out
    page = MarkdownIt("commonmark").enable("table").render(comparison_markdown(document))
    own = {"h2", "h3", "p", "strong", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "pre", "code", "span"}
    assert {tag.rstrip("/") for tag in re.findall(r"</?([\w/]+)", page)} <= own
    assert not [char for char in text if char != "\n" and not char.isprintable()]
    words = " ".join(unescape(re.sub(r"<[^>]*>", "", page)).split())
    for sheet in sheets(document):
        for cell in (cell for row in sheet.rows for cell in row):
            assert "\x1b" not in words
            assert cell.replace("\x1b", r"\x1b").replace("\x9b", r"\x9b") in text
    for line in remarks_on(document):
        assert " ".join(line.split()) in words
        assert line in text


def test_the_highest_of_a_row_is_bold(compare):
    document = compare()
    sheet = sheets(document)[1]
    for number, row in enumerate(sheet.rows):
        aurocs = [float(cell.split(" / ")[0]) for cell in row[1:3]]
        expected = {1 + int(np.argmax(aurocs))} if aurocs[0] != aurocs[1] else set()
        assert {at for line, at in sheet.bold if line == number} == expected


def test_csv_spells_what_a_terminal_would_obey_and_gives_every_difference(compare):
    document = compare()
    text = comparison_csv(document)
    assert not [char for char in text if char != "\n" and not char.isprintable()]
    lines = list(csv.DictReader(io.StringIO(text)))
    for line, row in zip(lines, document["results"], strict=True):
        if row["against"]:
            assert (line["against"], line["paired"]) == (PLAIN, "all")
            assert line["p_holm"] == ("" if row["scorer"] == BEST else str(row["against"]["p_holm"]))
            assert line["fpr95_ood_difference_low"] == ("" if row["scorer"] == BEST else str(row["against"]["fpr95_ood"]["low"]))
            assert float(line["fpr95_ood_difference"]) == row["against"]["fpr95_ood"]["value"]
        else:
            assert (line["against"], line["difference"]) == ("", "")
