"""What a run keeps beside its document: scores, what was read, and thumbnails of the images at the extremes."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oodkit.cli import main
from oodkit.images import open_images
from oodkit.images.thumbnails import thumbnail
from oodkit.report import tiles
from oodkit.report.runs import load_run

V1, V2 = "demo:digits-v1", "demo:digits-v2"
FOLDER = Path("oodkit-runs/diagnose-001")
SPECS = {"unseen": "demo:digits-unseen", "patches": "demo:photo-patches"}


SETS = ("--id", "demo:digits", "--near", "unseen=demo:digits-unseen", "--far", "patches=demo:photo-patches", "--limit", "60")
SCORERS = ("--fit", "demo:digits:train", "--scorer", "mls", "--scorer", "knn:k=5", "--workers", "0", "--device", "cpu", "--quiet")


@pytest.fixture
def diagnosed(run):
    """The run of one command line on the demo's sets."""

    def invoke(*arguments):
        assert run("diagnose", *SETS, *SCORERS, *arguments).code == 0
        return load_run(max(Path("oodkit-runs").iterdir()))

    return invoke


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A run of both of the demo's models, made once, with its folder."""
    folder = tmp_path_factory.mktemp("both")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys, "argv", ["oodkit", "diagnose", V2, V1, *SETS, *SCORERS, "-o", str(folder), "--cache", str(folder / "cache")]
        )
        with pytest.raises(SystemExit) as stop:
            main()
    assert not stop.value.code
    return load_run(folder), folder


def test_the_extremes_are_those_of_the_stored_scores_and_lead_to_their_images(both):
    """Every image could be read, so that positions in the set are rows of the scores."""
    found, _ = both
    model = found.document["models"][0]
    extremes, scores = model["extremes"], found.scores[V2][model["best"]]
    inside = np.asarray(scores["id"])
    for name, spec in SPECS.items():
        shown, own = extremes["accepted"][name], np.asarray(scores[name])
        assert [one["score"] for one in shown] == np.sort(own)[::-1][:12].tolist()
        assert [one["score"] for one in shown] == [own[one["index"]] for one in shown]
        assert {(one["label"], one["label_name"]) for one in shown} == {(None, None)}
        images = open_images(spec, limit=60)
        for one in shown:
            assert one["name"] == images.image_name(one["index"])
            assert found.thumbnails[one["thumbnail"]] == thumbnail(images, one["index"]).content
    rejected, digits = extremes["rejected"], open_images("demo:digits", limit=60)
    assert [one["score"] for one in rejected] == np.sort(inside)[:12].tolist()
    for one in rejected:
        assert one["below"] == pytest.approx(np.mean((inside < one["score"]) + 0.5 * (inside == one["score"])))
        assert digits.class_names[digits.labels[one["index"]]] == one["label_name"]
        assert (one["predicted_name"] == one["label_name"]) == (one["predicted"] == one["label"])


def test_positions_count_images_that_can_not_be_read(run, tmp_path):
    """Of five images the second is damaged: rows 0 to 3 of the scores are the images 0, 2, 3 and 4."""
    folder = tmp_path / "far"
    folder.mkdir()
    for i in range(5):
        Image.new("RGB", (8, 8), (50 * i, 0, 0)).save(folder / f"{i}.png")
    (folder / "1.png").write_bytes(b"no image")
    ran = run("diagnose", V1, "--id", "demo:digits", "--far", f"mine={folder}", "--limit", "40", "--workers", "0", "--quiet")
    assert ran.code == 0
    (model,) = load_run(FOLDER).document["models"]
    shown = model["extremes"]["accepted"]["mine"]
    own = np.asarray(load_run(FOLDER).scores[V1][model["best"]]["mine"])
    assert {one["name"]: own[row] for row, one in enumerate(sorted(shown, key=lambda one: one["index"]))} == {
        one["name"]: one["score"] for one in shown
    }
    assert {(one["index"], one["name"]) for one in shown} == {(i, f"{i}.png") for i in (0, 2, 3, 4)}
    assert model["read"]["mine"]["n"] == 4


def test_an_image_that_is_gone_by_then_is_named_without_a_picture(run, tmp_path, monkeypatch):
    folder = tmp_path / "far"
    folder.mkdir()
    for i in range(3):
        Image.new("RGB", (8, 8), (50 * i, 0, 0)).save(folder / f"{i}.png")
    from oodkit.cli import diagnosing

    diagnose_all = diagnosing.diagnose_all

    def then_lose_one(*arguments):
        told = diagnose_all(*arguments)
        (folder / "1.png").unlink()
        return told

    monkeypatch.setattr(diagnosing, "diagnose_all", then_lose_one)
    ran = run("diagnose", V1, "--id", "demo:digits", "--far", f"mine={folder}", "--limit", "40", "--workers", "0", "--quiet")
    assert ran.code == 0
    (model,) = load_run(FOLDER).document["models"]
    assert {one["name"] for one in model["extremes"]["accepted"]["mine"] if one["thumbnail"] is None} == {"1.png"}


def test_every_scorer_s_scores_are_kept(both):
    found, _ = both
    for model in (V1, V2):
        assert set(found.scores[model]) == {"mls", "knn"}
        for scores in found.scores[model].values():
            assert {name: len(np.asarray(own)) for name, own in scores.items()} == {"id": 60, "unseen": 60, "patches": 60}


def test_two_models_that_read_the_same_images_say_so(both):
    one, other = (model["read"] for model in both[0].document["models"])
    assert one == other
    assert {name: own["n"] for name, own in one.items()} == {"id": 60, "unseen": 60, "patches": 60}
    assert len({own["images"] for own in one.values()}) == 3


def test_each_set_has_its_fingerprint(both):
    sets = {one["name"]: one["fingerprint"] for one in both[0].document["sets"]}
    assert sets["id"] == open_images("demo:digits", limit=60).fingerprint()
    assert len(set(sets.values())) == len(sets) == 4


def test_result_and_thumbnails_agree_on_the_names(both):
    found, folder = both
    text = json.dumps(found.document)
    assert {path.name for path in folder.glob("thumbnails/*")} == set(found.thumbnails)
    assert all(name in text for name in found.thumbnails)


def test_advice_does_not_name_the_default_number(both):
    for model in both[0].document["models"]:
        assert all("--thumbnails" not in (one["command"] or "") for one in model["verdict"]["advice"])


def test_other_images_of_a_set_are_another_reading(both, diagnosed):
    (other,) = diagnosed(V1, "--limit", "59").document["models"]
    assert both[0].document["models"][1]["read"]["id"]["images"] != other["read"]["id"]["images"]
    assert list(Path("oodkit-runs").iterdir()) == [FOLDER]


def test_thumbnails_lists_so_many_images_and_advice_keeps_it(diagnosed):
    """A mere baseline's scores are not kept."""
    found = diagnosed(V2, "--thumbnails", "3")
    (model,) = found.document["models"]
    lists = [model["extremes"]["rejected"], *model["extremes"]["accepted"].values()]
    assert [len(shown) for shown in lists] == [3, 3, 3]
    assert found.document["settings"]["thumbnails"] == 3
    assert "--thumbnails 3" in model["verdict"]["advice"][0]["command"]
    assert (model["baseline"], list(found.scores)) == (V1, [V2])


def test_without_thumbnails_no_image_is_named_shown_or_written(diagnosed):
    found = diagnosed(V2, "--thumbnails", "0", "--report", "report.html")
    assert [model["extremes"] for model in found.document["models"]] == [None]
    assert not list(FOLDER.glob("thumbnails/*"))
    assert "data:image" not in Path("report.html").read_text()


def test_a_run_keeps_every_thumbnail_that_was_asked_for_whatever_a_page_has_room_for(diagnosed, monkeypatch):
    monkeypatch.setattr(tiles, "LARGEST", 0)
    found = diagnosed(V2, "--thumbnails", "20", "--report", "report.html")
    extremes = found.document["models"][0]["extremes"]
    assert [len(shown) for shown in (extremes["rejected"], *extremes["accepted"].values())] == [20] * 3
    assert len(found.thumbnails) > 3 == Path("report.html").read_text().count("data:image/")


@pytest.mark.parametrize("number", ["-1", "101"])
def test_the_number_of_thumbnails_has_its_limits(run, number):
    assert run("diagnose", V1, "--thumbnails", number).code == 2


def test_a_model_that_names_no_classes_is_told_in_the_words_of_the_id_images(diagnosed, monkeypatch):
    from oodkit.cli import loading

    load = loading.load_classifier

    def nameless(*arguments, **options):
        model = load(*arguments, **options)
        model.class_names = None
        return model

    monkeypatch.setattr(loading, "load_classifier", nameless)
    (model,) = diagnosed(V1).document["models"]
    names = open_images("demo:digits").class_names
    assert all(one["predicted_name"] == names[one["predicted"]] for one in model["extremes"]["rejected"])
