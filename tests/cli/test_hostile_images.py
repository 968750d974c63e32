"""A hostile folder of images, through the commands: each image is one, or a row with its reason, and no name is obeyed."""

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from oodkit.images import open_images

from ..images.hostile import MARKUP, READABLE, UNREADABLE, fill_hostile  # noqa: TID252 (tests are no package)

HERE = ("--workers", "0", "--device", "cpu")
EVERY = READABLE + len(UNREADABLE)


class Elements(HTMLParser):
    """The tags of a page, and the names of all attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.attributes = set[str](), set[str]()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.fixture
def folders(tmp_path):
    """Digits of the demo by class, with hostile files among those of one class; and a flat folder of hostile files alone."""
    digits = open_images("demo:digits", limit=24)
    for position in range(len(digits)):
        name = digits.class_names[digits.labels[position]]
        (tmp_path / "id" / name).mkdir(parents=True, exist_ok=True)
        digits.load(position).save(tmp_path / "id" / name / f"{position}.png")
    fill_hostile(tmp_path / "id" / name)
    fill_hostile(tmp_path / "far")


def diagnosed(run, *more):
    return run(
        "diagnose", "demo:digits-v1", "--id", "id", "--far", "<b>far=far", "--scorer", "mls", "--baseline", "none", *HERE, *more
    )


def is_quiet(text):
    return all(line.isprintable() for line in text.splitlines())


def test_a_diagnosis_has_each_image_or_its_reason(run, folders):
    ran = diagnosed(run, "--json")
    assert ran.code == 0, ran.err
    assert is_quiet(ran.err)
    rows = {one["role"]: one for one in json.loads(ran.out)["sets"]}
    assert (rows["far"]["images"], rows["far"]["read"], rows["far"]["skipped"]) == (EVERY, READABLE, len(UNREADABLE))
    assert (rows["id"]["images"], rows["id"]["read"]) == (24 + EVERY, 24 + READABLE)
    for row, folder in ((rows["far"], ""), (rows["id"], "0/")):
        reasons = {one["name"].removeprefix(folder).rpartition("/")[2]: one["reason"] for one in row["skipped_files"]}
        assert set(reasons) == UNREADABLE
        assert all(reason and reason.isprintable() and len(reason) <= 160 for reason in reasons.values())


def test_the_report_shows_every_name_and_obeys_none(run, folders):
    ran = diagnosed(run, "--report", "report.html", "--thumbnails", "40")
    assert ran.code == 0, ran.err
    assert is_quiet(ran.out)
    assert is_quiet(ran.err)
    page = Path("report.html").read_text("utf-8")
    assert MARKUP not in page
    assert MARKUP.replace("<", "&lt;").replace(">", "&gt;") in page
    assert not {character for character in page if not (character.isprintable() or character in "\n\t")}
    assert not {name for name in Elements(page).attributes if name.startswith("on")}
    assert "bomb.png: refused as a decompression bomb" in page


def test_every_image_is_one_row_of_scores(run, folders, detector):
    ran = run("score", detector, "far", *HERE)
    rows = list(csv.DictReader(ran.out.splitlines()))
    assert len(rows) == EVERY
    assert {row["path"].rpartition("/")[2] for row in rows if row["status"] == "unreadable"} == UNREADABLE
    assert is_quiet(ran.out)
    assert is_quiet(ran.err)
