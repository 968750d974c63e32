"""``oodkit synth quality``: from sets to a ranking, whose features are taken, and what is refused before any image is read."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from PIL import ImageFilter

from oodkit.images import open_images

REAL = "demo:digits:train"
SMALL = ("--workers", "0", "--device", "cpu", "--limit", "160")
V1 = ("--extractor", "demo:digits-v1")


@pytest.fixture
def sets(tmp_path):
    """Digits that no generator had to make: others than the real ones, as they are and blurred, and some of the real ones."""
    sources = {"others": ("demo:digits", 0), "blurred": ("demo:digits", 2), "copied": (REAL, 0)}
    for name, (spec, blur) in sources.items():
        images = open_images(spec, limit=160)
        assert images.class_names is not None
        for at in range(len(images)):
            folder = tmp_path / "sets" / name / images.class_names[images.labels[at]]
            folder.mkdir(parents=True, exist_ok=True)
            images.load(at).filter(ImageFilter.GaussianBlur(blur)).save(folder / f"{at}.png")
    return tmp_path / "sets"


@pytest.fixture
def command(sets):
    return ("synth", "quality", "--real", REAL, "--synthetic", "sets/blurred", *SMALL)


def test_sets_are_ranked_and_told_in_every_form(run, command, tmp_path):
    """Blurred digits are farther from digits than digits are; copies are found; the result fits its schema and is told again."""
    more = ("--synthetic", "good=sets/others", "--synthetic", "sets/copied", "--samples", "2")
    ran = run(*command, *more, *V1, "-o", "found", "--report", "report.html", "--json")
    assert ran.code == 0
    document = json.loads(ran.out)
    jsonschema.validate(document, json.loads((files("oodkit.report") / "schemas/quality.schema.json").read_text("utf-8")))
    assert document == json.loads(Path("found/result.json").read_text())
    assert [one["name"] for one in document["sets"]][-1] == "blurred"
    assert {one["name"]: one["nearest"]["flagged"] for one in document["sets"]} == {
        "blurred": False, "good": False, "copied": True,
    }  # fmt: skip
    assert [one["role"] for one in document["image_sets"]] == ["real", "synthetic", "synthetic", "synthetic"]
    assert document["model"]["weights"]
    shown = {
        image["thumbnail"] for one in (*document["samples"], *document["copies"]) for row in one["rows"] for image in row["images"]
    }
    assert {path.name for path in Path("found/thumbnails").iterdir()} == shown
    assert [len(one["rows"]) for one in document["samples"]] == [4] * 8
    assert Path("report.html").read_text().count("<img ") == sum(
        len(row["images"]) for one in (*document["samples"], *document["copies"]) for row in one["rows"]
    )
    for form, begins in (("text", "3 sets of synthetic"), ("markdown", "## 3 sets of synthetic"), ("csv", "set,class,n,frechet")):
        told = run("report", "found", "--format", form)
        assert (told.code, told.out.startswith(begins)) == (0, True)


def test_samples_stand_below_the_real_ones_in_their_own_class(run, command):
    document = json.loads(run(*command, *V1, "--samples", "3", "--json").out)
    assert Path("oodkit-runs/quality-001/result.json").is_file()
    for one in document["samples"]:
        real, blurred = one["rows"]
        assert (real["set"], blurred["set"]) == ("real", "blurred")
        assert {image["name"].split("/")[0] for image in blurred["images"]} == {one["class"]}
        assert len({image["name"] for image in blurred["images"]}) == 3
    assert sorted(one["place"] for one in document["samples"]) == list(range(1, 9))


def test_private_images_leave_no_trace(run, command):
    ran = run(*command, "--synthetic", "sets/copied", *V1, "--samples", "0", "-o", "found", "--json")
    document = json.loads(ran.out)
    assert (document["samples"], document["copies"]) == ([], [])
    assert document["sets"][0]["nearest"]["near_copies"] > 0
    assert ".png" not in ran.out
    assert not Path("found/thumbnails").exists()


def test_near_copies_stand_above_what_they_are_near_to(run, command):
    document = json.loads(run(*command, "--synthetic", "sets/copied", *V1, "--json").out)
    (shown,) = (one for one in document["copies"] if one["set"] == "copied")
    own, real = shown["rows"]
    assert (own["set"], real["set"]) == ("copied", "real")
    assert len(own["images"]) == len(real["images"]) > 0
    assert [image["thumbnail"] for image in own["images"]] == [image["thumbnail"] for image in real["images"]]  # pixel for pixel


def test_images_without_classes_are_compared_as_one(run, sets, command):
    (sets / "flat").mkdir()
    for at, path in enumerate(sorted((sets / "others").glob("*/*.png"))):
        path.rename(sets / "flat" / f"{at}.png")
    flat = ("--real", "sets/flat", "--synthetic", "sets/blurred")
    ran = run("synth", "quality", *flat, *SMALL, *V1, "--samples", "2", "--report", "report.html", "--json")
    assert (ran.code, ran.err) == (0, "written: oodkit-runs/quality-001/result.json, report.html\n")
    (sample,) = json.loads(ran.out)["samples"]
    assert (sample["class"], sample["place"]) == (None, None)
    assert [len(row["images"]) for row in sample["rows"]] == [2, 2]


def test_the_model_diagnosed_last_is_taken_and_told(run, command, demo_sets):
    assert run("diagnose", "demo:digits-v2", *demo_sets, "--scorer", "mls", "--baseline", "none").code == 0
    ran = run(*command, "--json")
    assert ran.code == 0
    assert ran.err.startswith("the run made last: oodkit-runs/diagnose-001")
    assert "its model: demo:digits-v2\n" in ran.err
    assert json.loads(ran.out)["extractor"] == "demo:digits-v2"


def test_what_made_a_set_is_told_and_whether_it_is_finished(run, sets, command):
    """A run.json that is damaged says nothing."""
    assert run("synth", "--model", "dir:sets/others", "--per-class", "10", "-o", "made").code == 0
    record = Path("made/run.json")
    asked = (*command, "--synthetic", "made", *V1, "--samples", "0", "--json")
    document, unfinished = json.loads(run(*asked).out), "made is not finished: the same oodkit synth goes on with it"
    made_by = {one["name"]: one["made_by"] for one in document["image_sets"]}
    assert (made_by["blurred"], made_by["made"]["generator"]) == (None, "dir:sets/others")
    assert made_by["made"]["licence"]
    assert unfinished not in document["notes"]
    record.write_text(record.read_text().replace('"finished"', '"unfinished"'))
    assert unfinished in json.loads(run(*asked).out)["notes"]
    record.write_text("{}")
    assert [one["made_by"] for one in json.loads(run(*asked).out)["image_sets"]] == [None] * 3


def test_sets_may_stand_one_after_the_other_as_a_shell_writes_them(run, command):
    assert command[5] == "sets/blurred"
    ran = run(*command[:6], "good=sets/others", *SMALL, *V1, "--samples", "0", "--json")
    assert {one["name"] for one in json.loads(ran.out)["sets"]} == {"blurred", "good"}


def test_quiet_prints_the_paths_alone(run, command):
    ran = run(*command, *V1, "--report", "report.html", "-q")
    assert (ran.out, ran.err) == ("oodkit-runs/quality-001/result.json\nreport.html\n", "")


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ((), 2, "no classifier to measure with: give --extractor MODEL, or diagnose one here first with oodkit diagnose MODEL"),
        (("--arch", "resnet18"), 2, "--arch resnet18 goes with a model: name it too, with --extractor MODEL"),
        (("--synthetic", "blurred=sets/others", *V1), 2, "two synthetic sets are named 'blurred': sets/blurred and sets/others"),
        (("--synthetic", "real=sets/others", *V1), 2, "a synthetic set can't be named 'real'"),
        (("--synthetic", "sets/nothing", *V1), 3, "no folder or file sets/nothing"),
        (("--held-out", "sets/nothing", *V1), 3, "no folder or file sets/nothing"),
        (("--extractor", "demo:digits-v9"), 3, "demo:digits-v9"),
        (("--extractor", "inception:nothing.pth"), 3, "nothing.pth"),
        (("--real", "dir:sets/others", *V1), 2, "a folder is given by its path alone: sets/others, not dir:sets/others"),
        (("--synthetic", "x=dir:sets/others", *V1), 2, "a folder is given by its path alone: sets/others, not dir:sets/others"),
        (
            ("-o", "sets/others", *V1),
            2,
            "sets/others holds images, such as 0/",
        ),
        (("--report", "report.txt", *V1), 2, "--report report.txt would hold a page of HTML"),
        (("--format", "csv", "--json", *V1), 2, "--json and --format csv contradict each other"),
        (("--model-arg", "depth", *V1), 2, "'depth' is not K=V"),
    ],
)
def test_what_is_refused_is_refused_before_any_image_is_read(run, command, forwarded, more, code, message):
    if "inception" in " ".join(more):
        pytest.importorskip("torch_fidelity", reason="the extractor inception is torch-fidelity's")
    ran = run(*command, *more)
    assert ran.code == code
    assert message in " ".join(ran.err.replace("│", " ").split())
    assert forwarded == []
    assert not list(Path().glob("oodkit-runs/quality-*"))


@pytest.mark.parametrize(("name", "what"), [("run.json", "a synthesis"), ("fit.json", "a fit"), ("training.json", "a training")])
def test_no_result_is_written_into_what_another_command_made(run, command, tmp_path, name, what):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / name).write_text("{}")
    ran = run(*command, *V1, "-o", "there")
    assert (ran.code, sorted(path.name for path in Path("there").iterdir())) == (2, [name])
    assert f"there is {what} ({name}), beside which no result is written; give another folder, a new one" in ran.err


def test_a_missing_classifier_is_told_before_any_set_is_opened(run, command, monkeypatch):
    monkeypatch.setattr("oodkit.cli.assessing.open_images", lambda *_, **__: pytest.fail("a set was opened"))
    ran = run(*command)
    assert (ran.code, "no classifier to measure with: give --extractor MODEL" in ran.err) == (2, True)


def test_labels_of_the_extractor_s_own_have_no_agreement(run, command):
    """Of three syntheses one was filtered by the extractor, one labelled by another model, one by none."""
    make = ("synth", "--model", "dir:sets/others", "--per-class", "10")
    for name, model in (("own", "demo:digits-v1"), ("another", "demo:digits-v2")):
        assert run(*make, "--label-with", model, "--keep-agreeing", "-o", name).code == 0
    ran = run(*command, "--synthetic", "own", "--synthetic", "another", *V1, "--samples", "0", "--json")
    document = json.loads(ran.out)
    assert {one["name"]: one["agreement"] is None for one in document["sets"]} == {"blurred": False, "own": True, "another": False}
    own = "own was labelled or filtered by demo:digits-v1 itself: its agreement would be true by construction"
    assert [own in note for note in document["notes"]].count(True) == 1
    assert "another was labelled" not in ran.out


def test_a_run_of_several_models_is_not_guessed_from(run, command, demo_sets):
    assert run("diagnose", "demo:digits-v1", "demo:digits-v2", *demo_sets, "--scorer", "mls", "--baseline", "none").code == 0
    ran = run(*command)
    assert ran.code == 2
    expected = "is of 2 models: name the one that you mean, oodkit synth quality --extractor demo:digits-v1 or"
    assert expected in ran.err


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        (["a/b/dit", "dit2=x"], {"dit": "a/b/dit", "dit2": "x"}),
        (["wds:http://x/a=b.tar"], {"a=b.tar": "wds:http://x/a=b.tar"}),
        (["demo:digits"], {"demo:digits": "demo:digits"}),
        (["there=is/"], {"there=is": "there=is/"}),
        (["n=folder=of=mine"], {"n": "folder=of=mine"}),
        (["=x"], {"=x": "=x"}),
    ],
)
def test_a_name_stands_before_the_first_sign_unless_the_whole_is_a_path(texts, named, tmp_path, monkeypatch):
    from oodkit.cli.assessing import named_sets

    monkeypatch.chdir(tmp_path)
    (tmp_path / "there=is").mkdir()
    assert named_sets(texts) == named
