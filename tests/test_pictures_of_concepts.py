"""The pictures that the pages show: drawn by docs/make_pictures.py, from what the demo's checkpoints say now, and legible alone."""

import importlib.util
import re
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from oodkit.metrics import fpr95_id, fpr95_ood

DOCS = Path(__file__).parents[1] / "docs"
SVG = "{http://www.w3.org/2000/svg}"
PICTURE = re.compile(r"!\[([^]]*)\]\((?:\.\./)*_static/([\w-]+\.svg)\)")
PARAGRAPHS = [page.read_text(encoding="utf-8").split("\n\n") for page in sorted(DOCS.rglob("*.md"))]
SHOWN = [(PICTURE.findall(one), caption) for page in PARAGRAPHS for one, caption in pairwise(page) if PICTURE.search(one)]
COMMITTED = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "_static").glob("*.svg")}
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def words(svg: str) -> str:
    """All that can be read in a picture."""
    return " | ".join(one.text or "" for one in ET.fromstring(svg).iter() if one.tag in {f"{SVG}text", f"{SVG}title"})


@pytest.fixture(scope="module")
def make_pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "make_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(make_pictures: ModuleType) -> dict[str, str]:
    return make_pictures.pictures()


def test_the_script_draws_the_committed_pictures_and_the_pages_show_each(drawn: dict[str, str]) -> None:
    assert set(drawn) == set(COMMITTED) == {name for shown, _ in SHOWN for _, name in shown}


def test_every_number_in_a_picture_is_still_what_is_measured(drawn: dict[str, str]) -> None:
    """To a point, since another processor may round a score to the other side of a threshold: 1 of 354 images is 0.3 %."""
    for name, svg in drawn.items():
        now, then = words(svg), words(COMMITTED[name])
        assert NUMBER.sub("#", now) == NUMBER.sub("#", then), name
        assert [float(one) for one in NUMBER.findall(now)] == pytest.approx([float(one) for one in NUMBER.findall(then)], abs=1), (
            name
        )


@pytest.mark.parametrize(("shown", "caption"), SHOWN, ids=lambda value: value[0][1] if isinstance(value, list) else "")
def test_what_is_said_of_pictures_has_no_figure_that_is_not_in_them(shown: list[tuple[str, str]], caption: str) -> None:
    for alt, name in shown:
        assert len(alt) > 60, "say what is seen"
        assert set(re.findall(r"\d+\.\d+|\d+(?= %)", alt)) <= set(NUMBER.findall(words(COMMITTED[name])))
    seen = {number for _, name in shown for number in NUMBER.findall(words(COMMITTED[name]))}
    assert set(re.findall(r"\d+\.\d+", caption)) <= seen


def test_a_picture_reads_on_a_light_and_a_dark_page(drawn: dict[str, str]) -> None:
    """It brings ground and ink in pairs, and nothing in it is black on its own account."""
    for svg in drawn.values():
        root = ET.fromstring(svg)
        style = root.findtext(f"{SVG}style") or ""
        assert re.fullmatch(
            r"svg\{color:.*background:.*\}@media\(prefers-color-scheme:dark\)\{svg\{color:.*background:.*\}\}", style
        )
        assert root.get("fill") == "currentColor"
        assert not {"#000000", "#000", "black"} & {value for one in root.iter() for value in one.attrib.values()}


def test_drawing_twice_gives_the_same_file(make_pictures: ModuleType) -> None:
    rng = np.random.default_rng(0)
    scores = make_pictures.Scores(*(rng.normal(mean, 1, 40) for mean in (3, 1, 0, 3)))
    assert make_pictures.fpr95_of_ood(scores) == make_pictures.fpr95_of_ood(scores)
    assert make_pictures.near_and_far() == make_pictures.near_and_far()


def test_the_line_of_each_convention_stands_at_its_own_threshold(
    make_pictures: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The share on the shaded side of the line is the number written there, ties and all."""
    lines = []
    monkeypatch.setattr(make_pictures, "cut", lambda axes, threshold, name: lines.append(threshold))
    rng = np.random.default_rng(1)
    inside, outside = (np.round(rng.normal(mean, 1, 50), 1) for mean in (2, 0))
    scores = make_pictures.Scores(inside, outside, outside, inside)
    make_pictures.fpr95_of_ood(scores)
    make_pictures.fpr95_of_id(scores)
    assert np.mean(inside <= lines[0]) == fpr95_ood(inside, outside).value
    assert np.mean(outside >= lines[1]) == fpr95_id(inside, outside).value
