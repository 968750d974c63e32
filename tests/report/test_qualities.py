"""An assessment in every form: every form tells all of it, and no name is obeyed."""

import csv
import io
from dataclasses import replace

import pytest

from oodkit.report.console import file_console
from oodkit.report.html import render_html
from oodkit.report.qualities import class_rows, classes_worst_first, digits_for, sentence_of, title_of
from oodkit.report.quality_forms import quality_csv, quality_markdown
from oodkit.report.quality_sheets import quality_sheets
from oodkit.report.runs import Run
from oodkit.report.terminal import print_quality
from oodkit.report.tiles import LARGEST
from oodkit.synth.quality.found import ClassQuality, Unseen

from .made_quality import CLASSES, SETS, VALIDATOR, hostile_run, made, run_of


@pytest.fixture
def run() -> Run:
    return run_of(made())


def text_of(document: dict) -> str:
    file = io.StringIO()
    print_quality(document, file_console(file))
    return file.getvalue()


def sheet_of(document: dict, title: str):
    return next(one for one in quality_sheets(document) if one.title.startswith(title))


@pytest.mark.parametrize(
    "quality",
    [
        made(),
        made(["alone"]),
        made(["alone"], held_out="demo:digits", asked=200),
        made(["flat"], (), labelled=False),
        made(["other"], labelled=False),
        made(unseen=Unseen(300, 0.875, 0.75)),
    ],
    ids=["whole", "one set", "held out", "without classes", "other classes", "unseen"],
)
def test_every_assessment_fits_and_is_told_in_every_form(quality):
    run = run_of(quality)
    VALIDATOR.validate(run.document)
    for told in (text_of(run.document), quality_markdown(run.document), render_html(run)):
        plainly = told.replace("<wbr>", "").replace("\\", "")
        assert all(one.name in plainly for one in quality.sets)
        assert "real against real" in plainly
        assert all(told.count(note) == 1 for note in quality.notes)
    assert quality_csv(run.document).count("\n") == 1 + (1 + len(quality.class_names)) * (1 + len(quality.sets))


def test_the_ranking_holds_the_figures_and_ends_in_the_floor(run):
    sheet = sheet_of(run.document, "Synthetic images")
    assert sheet.rows[0] == ["1", "fitted", "1.75", "0.00410 ± 0.00030", "0.92", "85.80", "1"]
    assert [row[:2] for row in sheet.rows[1:]] == [["2", "biggan"], ["3", "ddpm"], ["", "real against real"]]
    assert [row[-1] for row in sheet.rows] == ["1", "3", "2", ""]
    assert {line for line, _ in sheet.bold} == {0}


def test_labels_are_told_where_there_are_any(run):
    sheet, seen = sheet_of(run.document, "Labels"), ", which generators and often the classifier learnt from"
    assert sheet.rows[0] == ["fitted", "88.00", "87.00", "91.00"]
    assert sheet.below == ["linear probe: a head trained on the set's features, its accuracy on 350 real images" + seen]
    assert seen in render_html(run)
    assert seen not in render_html(run_of(made(held_out="x")))
    without = run_of(made(["flat"], (), labelled=False)).document
    assert not any(one.title == "Labels" for one in quality_sheets(without))
    assert 'href="#labels"' not in render_html(Run(without))


def test_a_set_that_may_copy_says_so_in_every_form(run):
    assert sheet_of(run.document, "Nearest").rows[2] == ["ddpm", "may copy", "0.38", "3 of 200", "0.0002"]
    assert [row[1] for row in sheet_of(run.document, "Nearest").rows] == ["", "", "may copy", ""]
    assert render_html(run).count('class="flag">may copy') == quality_markdown(run.document).count("may copy") == 1
    assert "ddpm" not in sentence_of(run.document)
    alone = run_of(made(["ddpm"])).document
    assert sentence_of(alone).endswith("of other real images. It may hold copies of them.")


def test_what_is_not_noticed_without_held_out_images_is_told(run):
    missed = "earched 200 of 400 real images: copies of the others are not noticed: with --held-out SET all are searched"
    held_out = run_of(made(held_out="demo:digits"))
    held_out.document["floor"]["nearest"]["searched"] = 400
    assert missed in text_of(run.document)
    assert missed in render_html(run)
    assert missed not in text_of(held_out.document)
    assert missed not in render_html(held_out)
    assert "over that of demo:digits" in text_of(held_out.document)
    held_out.document["floor"]["nearest"]["searched"] = 399
    assert "searched 399 of 400 real images: the others could not be read" in text_of(held_out.document)


def test_what_comes_first_is_told_in_a_sentence():
    """1.75 / 0.5 = 3.5."""
    document = run_of(made()).document
    assert sentence_of(document) == (
        "fitted comes first, with a Fréchet distance of 1.75 to the real images, 3.5 times the 0.50 of other real images."
    )
    document["sets"][0]["coverage_rank"], document["sets"][1]["coverage_rank"] = 3, 1
    assert sentence_of(document).endswith(" By coverage biggan comes first, with 74.80 %.")
    document["sets"][0]["frechet"] = 0.25
    assert "a Fréchet distance of 0.25 to the real images, where other real images have 0.50." in sentence_of(document)
    document["floor"]["frechet"] = 0.0
    assert "where other real images have 0.00" in sentence_of(document)
    assert sentence_of(run_of(made(["alone"], held_out="x")).document).startswith("alone has a Fréchet distance of 1.75")


def test_the_title_counts_the_sets_and_the_images(run):
    assert title_of(run.document) == "3 sets of synthetic images beside demo:digits:train, 200 of each"
    assert title_of(run_of(made(["one"])).document).startswith("1 set of synthetic images")


@pytest.mark.parametrize(
    ("values", "digits"), [([0.5, 12.0], 2), ([0.0003], 5), ([123.0, 45.0], 0), ([0.0], 1), ([-0.04, 1.0], 3), ([1e-9], 6)]
)
def test_a_column_has_two_figures_of_its_smallest_number(values, digits):
    assert digits_for(values) == digits


def test_classes_come_worst_first_by_their_mean_over_the_sets():
    """Means of class a: (1 + 5)/2 = 3, b: (4 + 0)/2 = 2, c: of one set, 9; d has none and comes last; e was not compared."""
    kids = {"x": {"a": 1.0, "b": 4.0, "c": 9.0, "d": None}, "y": {"a": 5.0, "b": 0.0, "c": None, "d": None}}
    found = made(["x", "y"], ("a", "b", "c", "d", "e"))
    sets = [
        replace(one, classes=[ClassQuality(name, 3, 0.1, 0.1, None, None, above) for name, above in kids[one.name].items()])
        for one in found.sets
    ]
    document = run_of(replace(found, sets=sets)).document
    assert classes_worst_first(document) == ["c", "a", "b", "d"]
    assert list(class_rows(document)) == ["c", "a", "b", "d"]
    assert set(class_rows(document)["c"]) == {"x", "y", "real"}


def test_of_many_classes_the_worst_and_the_best_are_in_the_tables_and_all_in_csv():
    names = tuple(f"class{at:03}" for at in range(300))
    run = run_of(made(["one"], names), shown=0)
    sheet = sheet_of(run.document, "one by class")
    assert sheet.title == "one by class, the 3 worst and the 3 best of 300"
    assert [row[4] for row in sheet.rows] == ["9.5 s.e."] * 3 + ["within error"] * 3
    of_floor = {one["name"]: one["kid"] for one in run.document["floor"]["classes"]}
    assert sheet.rows[0][3] == f"{of_floor[sheet.rows[0][0]]:.5f}".replace("-", "−")
    page = render_html(run)
    assert "200 of 300, the worst and the best half of these" in page
    assert page.count('<th scope="row">class') == 200
    assert quality_csv(run.document).count("\n") == 1 + 2 * 301


def test_classes_that_none_can_be_told_to_be_worse_have_no_order_and_no_places():
    found = made(["one"])
    bare = [ClassQuality(name, 2, None, None, None, 0.5) for name in CLASSES]
    run = run_of(replace(found, sets=[replace(one, classes=bare) for one in found.sets], floor=replace(found.floor, classes=bare)))
    VALIDATOR.validate(run.document)
    assert classes_worst_first(run.document) == list(CLASSES)
    assert {one["place"] for one in run.document["samples"]} == {None}
    page = render_html(run)
    assert "Every class: too few images of each to tell which are worse." in page
    assert not any(word in page for word in ("worst first", "place 1 of", "within error"))
    assert not any("by class" in one.title for one in quality_sheets(run.document))


def test_classes_without_a_kernel_distance_have_no_place_among_the_others():
    found = made(["one"])
    last = ClassQuality("three", 2, None, None, None, 0.5)
    classes = [one for one in found.sets[0].classes if one.name != "three"]
    run = run_of(replace(found, sets=[replace(found.sets[0], classes=[*classes, last])]))
    assert [(one["class"], one["place"]) for one in run.document["samples"]] == [
        ("one", 3),
        ("two", 2),
        ("zero", 1),
        ("three", None),
    ]
    assert "place 3 of 3" in render_html(run)


def test_held_out_images_have_a_line_of_their_own_beside_the_labels(run):
    document = run_of(made(unseen=Unseen(300, 0.875, 0.75))).document
    assert sheet_of(document, "Labels").rows[-1] == ["held-out real images", "87.50", "75.00", "–"]
    assert '<th scope="row">held-out real images</th><td data-value="0.875">87.50</td>' in render_html(Run(document))
    assert "held-out real images" not in render_html(run)


def test_sets_that_are_level_come_first_together():
    found = made()
    sets = [
        replace(found.sets[0], rank=1),
        replace(found.sets[1], rank=1, coverage_rank=2),
        replace(found.sets[2], coverage_rank=3),
    ]
    document = run_of(replace(found, sets=sets)).document
    assert sentence_of(document) == (
        "fitted and biggan are level and come first, within the 0.30 by which real images differ; "
        "fitted has a Fréchet distance of 1.75 to the real images, 3.5 times the 0.50 of other real images."
    )
    assert render_html(Run(document)).count("★</span>") == 2
    document["sets"][1]["nearest"]["flagged"] = True
    assert sentence_of(document).endswith(" biggan may hold copies of them, so that its place tells little.")


def test_csv_has_a_line_for_each_set_and_each_of_its_classes(run):
    lines = list(csv.DictReader(io.StringIO(quality_csv(run.document))))
    assert [one["set"] for one in lines if not one["class"]] == [*SETS, "real"]
    whole = next(one for one in lines if (one["set"], one["class"]) == ("ddpm", ""))
    row = run.document["sets"][2]
    for key in ("frechet", "kid", "kid_sd", "density", "coverage", "agreement", "confidence", "probe"):
        assert float(whole[key]) == row[key]
    assert (whole["n"], whole["rank"], whole["coverage_rank"], whole["nearest_flagged"]) == ("200", "3", "2", "True")
    zero = next(one for one in lines if (one["set"], one["class"]) == ("ddpm", "zero"))
    own = next(one for one in row["classes"] if one["name"] == "zero")
    assert (float(zero["kid"]), zero["n"], zero["frechet"]) == (own["kid"], "50", "")


def test_the_page_shows_every_sample_below_the_real_ones_and_each_copy_below_what_it_copies(run):
    page = render_html(run)
    assert page.count("<img ") == len(CLASSES) * 4 * 7 + 2 * 3
    assert page.count('class="missing"') == len(CLASSES) * 4
    part = page[page.index('<section id="samples">') : page.index('<section id="classes">')]
    names = [one.partition("<")[0].strip() for one in part.split('<p class="who">')[1:]]
    assert names == ["real", "fitted", "biggan", "ddpm"] * 4
    assert part.count("agreement 80&nbsp;%") == 4  # of fitted
    assert "within error,</span> <span" in part
    assert "sets within 0.30, by which real images differ, share a rank" in page
    assert "share a rank" not in render_html(run_of(made(["alone"])))


def test_a_page_of_many_large_samples_is_kept_small(run):
    """Four classes of four rows of eight images of 60 kB come to 10 MB in base64."""
    large = {name: content + b"\0" * 60_000 for name, content in run.thumbnails.items()}
    page = render_html(replace(run, thumbnails=large))
    assert len(page.encode()) <= LARGEST
    assert 0 < page.count("<img ") < len(large)


def test_no_form_obeys_a_name():
    run = hostile_run()
    VALIDATOR.validate(run.document)
    for told in (text_of(run.document), quality_markdown(run.document), quality_csv(run.document), render_html(run)):
        assert not set("\x1b\x07\u202e") & set(told)
    page, markdown = render_html(run), quality_markdown(run.document)
    assert "<img src=x" not in page
    assert not any(f"<{tag}><" in page for tag in ("b", "i"))
    assert "<img" not in markdown.replace("\\<", "").partition("<details>")[0]


def test_what_made_a_set_is_told_with_its_licence(run):
    assert "| ddpm | synthetic | sets/ddpm | ddpm, licence apache-2.0 | 400 |" in quality_markdown(run.document)
    assert render_html(run).count("ddpm, licence apache-2.0") == 1
    unknown = run_of(made(["one"]))
    assert "made by" not in render_html(unknown)


def test_the_page_tells_the_licence_of_the_extractor(run):
    licensed = replace(run, document={**run.document, "model": {**run.document["model"], "license": "apache-2.0"}})
    assert "licence apache-2.0, weights 00ff" in render_html(licensed)
