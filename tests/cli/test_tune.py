"""``--tune``: what it chooses and tells, and the test images that it will not choose on."""

import json
import shlex
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from oodkit.images import open_images

V1, V2 = "demo:digits-v1", "demo:digits-v2"
SMALL = ("--workers", "0", "--device", "cpu")
SCORERS = ("--scorer", "knn", "--scorer", "ash-b", "--scorer", "msp")


def save_arrays(path, spec, rows, **more):
    images = open_images(spec)
    np.savez(path, images=np.stack([np.asarray(images.load(row)) for row in rows]), **more)


@pytest.fixture
def halves(tmp_path):
    """The demo's photographs cut in two: the first 200 patches to choose on, the others to test on."""
    save_arrays(tmp_path / "first.npz", "demo:photo-patches", range(200))
    save_arrays(tmp_path / "second.npz", "demo:photo-patches", range(200, 400))


SETS = ("--id", "demo:digits", "--far", "patches=second.npz", "--fit", "demo:digits:train", "--val", "demo:digits:val")
TUNE = ("--tune", "mine=first.npz")


def diagnosed(run, *words):
    ran = run("diagnose", *words, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_the_chosen_settings_score_the_test_sets_and_the_whole_table_is_in_the_result(run, halves):
    document = diagnosed(run, V2, *SETS, *TUNE, *SCORERS, *SMALL, "--baseline", "none")
    (model,) = document["models"]
    assert [one["scorer"] for one in model["tuning"]] == ["knn", "ash-b"]
    for one in model["tuning"]:
        assert (one["sets"], one["n_id"], one["n_ood"]) == (["mine"], 289, 200)
        best = max(tried["auroc"] for tried in one["tried"] if tried["auroc"] is not None)
        assert one["chosen"]["auroc"] == best >= one["before"]["auroc"]
        row = next(row for row in model["results"] if row["scorer"] == one["scorer"])
        assert row["settings"] | one["chosen"]["settings"] == row["settings"]
        assert row["tuned"] == f"tuned on mine: AUROC {before_and_after(one)}"
    assert [tried["settings"] for tried in model["tuning"][0]["tried"]] == [{"k": min(k, 721)} for k in (50, 100, 200, 500, 1000)]
    assert next(row for row in model["results"] if row["scorer"] == "msp")["tuned"] is None
    assert {one["name"]: one["role"] for one in document["sets"]} == {
        "id": "id",
        "fit": "fit",
        "val": "val",
        "mine": "tune",
        "patches": "far",
    }
    assert "mine" not in {row["ood_set"] for row in model["results"]}
    assert document["inputs"]["sets"]["tune"] == {"mine": "first.npz"}


def before_and_after(one):
    was, now = (f"{100 * one[which]['auroc']:.2f}" for which in ("before", "chosen"))
    return f"{now}, with the settings asked for" if one["spec"] == one["asked"] else f"{was} → {now}"


def test_terminal_and_report_show_the_table(run, halves, tmp_path):
    ran = run("diagnose", V1, *SETS, *TUNE, *SCORERS, *SMALL, "--report", "report.html")
    assert ran.code == 0, ran.err
    table = ran.out[ran.out.index("Settings chosen on mine: 289 ID and 200 OOD") :].splitlines()
    table = table[next(row for row, line in enumerate(table) if line.startswith("scorer")) - 1 :]  # a long title is wrapped
    assert table[1].split() == ["scorer", "chosen", "tried", "AUROC", "as", "asked", "AUROC", "as", "chosen"]
    assert [line.split()[::2][:2] for line in table[2:4]] == [["knn", "5"], ["ash-b", "7"]]
    assert "k=" in table[2]
    assert "percentile=" in table[3]
    html = (tmp_path / "report.html").read_text()
    assert "Settings chosen on mine: 289 ID and 200 OOD images" in html
    assert "tuned on" not in ran.out + html, "the table has it"
    assert all(f"<caption>{scorer}</caption>" in html for scorer in ("knn", "ash-b"))


def test_predictions_and_accuracy_are_the_plain_networks(run, halves):
    plain = diagnosed(run, V2, *SETS, *SCORERS, *SMALL)
    tuned = diagnosed(run, V2, *SETS, *TUNE, *SCORERS, *SMALL)
    (one,), (other,) = plain["models"], tuned["models"]
    assert json.dumps(one["accuracy"]) == json.dumps(other["accuracy"])
    assert one["max_logits"] == other["max_logits"]
    assert one["shifts"] == other["shifts"]
    assert one["tuning"] == []


def test_every_model_and_baseline_is_tuned_on_its_own(run, halves, monkeypatch):
    from oodkit.cli import choosing

    tuned = []
    tune = choosing.tune
    monkeypatch.setattr(choosing, "tune", lambda *given, **more: tuned.append(tune(*given, **more)) or tuned[-1])
    document = diagnosed(run, V2, *SETS, *TUNE, "--scorer", "ash-b", *SMALL)
    assert len(tuned) == 2
    assert [len(model["tuning"]) for model in document["models"]] == [1]
    assert [[one.scorer for one in own] for own in tuned] == [["mls", "knn"], ["ash-b"]]


@pytest.mark.parametrize(("asked", "searched"), [([], ["mls", "knn"]), (["ash-b", "knn:k=7"], ["knn:k=7", "mls"])])
def test_of_a_mere_baseline_only_what_the_verdict_rests_on_is_searched(asked, searched, monkeypatch):
    from oodkit.cli import choosing

    given = []
    monkeypatch.setattr(choosing, "tune", lambda *_, scorers, **__: given.append(scorers))
    sets = SimpleNamespace(tune={}, fit=None, val=None)
    how = {"preset": "openood", "seed": 0, "quiet": True}
    for shown, found in ((True, {"fit": 1}), (False, {"fit": 1}), (False, {})):
        choosing.choose(SimpleNamespace(name="net"), sets, found, [], scorers=asked, shown=shown, **how)
    assert given == [asked, searched, ["mls"]]


def test_the_test_sets_are_extracted_after_the_search(run, halves, monkeypatch):
    from oodkit.cli import choosing, extracting

    order = []
    extract, tune = extracting.extract, choosing.tune
    monkeypatch.setattr(extracting, "extract", lambda model, one, **more: order.append(one.spec) or extract(model, one, **more))
    monkeypatch.setattr(choosing, "tune", lambda *given, **more: order.append("search") or tune(*given, **more))
    diagnosed(run, V1, *SETS, *TUNE, "--scorer", "ash-b", *SMALL)
    assert order == ["demo:digits:train", "demo:digits:val", "first.npz", "search", "demo:digits", "second.npz"]


def test_advised_commands_carry_the_sets_but_no_search_and_run(run, halves):
    """The scorer stands there with the settings that the search found."""
    document = diagnosed(run, V2, *SETS, *TUNE, *SCORERS, *SMALL)
    commands = [advice["command"] for advice in document["models"][0]["verdict"]["advice"] if advice["command"]]
    assert commands
    for command in commands:
        assert "--far patches=second.npz" in command
        assert "--tune" not in command
        assert run(*shlex.split(command)[1:], "--workers", "0", "--quiet").code == 0


def test_the_options_name_the_sets_again_as_a_shell_reads_them():
    from oodkit.cli.inputs import SetNames

    names = SetNames(benchmark="cifar10", tune={"mine": "my images"}, tune_benchmark=True, limit=9)
    assert names.flags() == "--benchmark cifar10 --tune 'mine=my images' --tune benchmark --limit 9"


def test_without_validation_images_a_share_of_the_training_images_is_held_out(run, halves):
    document = diagnosed(run, V1, *SETS[:-2], *TUNE, "--scorer", "knn", *SMALL)
    (one,) = document["models"][0]["tuning"]
    assert one["n_id"] == 72
    assert one["note"] == "no validation images given: held out a stratified 10 % of the training images"
    assert {tried["settings"]["k"] for tried in one["tried"]} == {50, 100, 200, 500, 721 - 72}


def test_the_demos_models_bring_their_sets_to_a_search_too(run, halves, tmp_path):
    """Grey noise is in no set of the demo."""
    np.savez(tmp_path / "noise.npz", images=np.random.default_rng(0).integers(0, 256, (50, 32, 32), dtype=np.uint8))
    document = diagnosed(run, V1, "--tune", "noise=noise.npz", "--scorer", "ash-b", "--limit", "60", *SMALL)
    assert [one["sets"] for one in document["models"][0]["tuning"]] == [["noise"]]


# refusals


@pytest.fixture
def no_forward_pass(monkeypatch):
    from oodkit.cli import extracting

    monkeypatch.setattr(extracting, "extract", lambda *_, **__: pytest.fail("a forward pass was made"))


def refused(run, *words) -> str:
    ran = run("diagnose", V1, *words, "--workers", "0")
    assert ran.code == 2
    assert ran.out == ""
    return " ".join(ran.err.split())


@pytest.mark.usefixtures("no_forward_pass")
def test_a_test_set_is_refused_under_any_name(run, halves):
    sets = ("--id", "demo:digits", "--far", "patches=demo:photo-patches", "--fit", "demo:digits:train")
    message = refused(run, *sets, "--tune", "other=demo:photo-patches")
    assert "400 of 400 images of --tune other are in --far patches too, such as " in message
    assert "settings must not be chosen on test images: leave them out of --tune, or give it another set" in message
    assert "200 of 200 images of --tune mine are in --far patches too, such as 0, there " in refused(run, *sets, *TUNE)


@pytest.mark.usefixtures("no_forward_pass")
def test_one_shared_image_is_enough_whatever_its_label(run, halves, tmp_path):
    rows = [*range(30), 399]
    save_arrays(tmp_path / "mixed.npz", "demo:photo-patches", rows, labels=np.arange(31))
    message = refused(run, *SETS, "--tune", "mixed=mixed.npz")
    assert "1 of 31 images of --tune mixed are in --far patches too, such as 30, there 199;" in message


@pytest.mark.usefixtures("no_forward_pass")
@pytest.mark.parametrize("role", ["id", "fit", "val"])
def test_in_distribution_images_are_refused_too(run, halves, tmp_path, role):
    spec = {"id": "demo:digits", "fit": "demo:digits:train", "val": "demo:digits:val"}[role]
    save_arrays(tmp_path / "inside.npz", spec, [7])
    message = refused(run, *SETS, "--tune", "inside=inside.npz")
    assert f"1 of 1 images of --tune inside are in --{role} too, such as 0, there load_digits/" in message
    assert ("in-distribution images are no OOD images" in message) == (role != "id")
    given = "training images" if role == "fit" else f"--{role}"
    assert f"the OOD set 'x' is the very set given as {given}" in refused(run, *SETS, "--tune", f"x={spec}")


@pytest.mark.usefixtures("no_forward_pass")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tune", "first.npz"), "is not NAME=SET, e.g. --tune"),
        (("--tune", "patches=first.npz"), "'patches' is named as far and as tune"),
        (("--tune", "val=first.npz"), "can't be named 'val'"),
        (("--tune", "benchmark"), "--tune benchmark takes a benchmark's own images: give --benchmark NAME, or --tune NAME=SET"),
    ],
)
def test_wrong_names_are_one_clear_line(run, halves, words, message):
    assert message in refused(run, *SETS, *words)


@pytest.mark.usefixtures("no_forward_pass")
def test_without_id_images_to_judge_by_there_is_no_search(run, halves):
    message = refused(run, *SETS[:4], *TUNE)
    assert "--tune needs ID images that are not --id's to judge settings by: give --val SET, or --train SET" in message


@pytest.mark.usefixtures("no_forward_pass")
def test_settings_are_not_judged_by_a_copy_of_the_id_test_set(run, halves, tmp_path):
    save_arrays(tmp_path / "copy.npz", "demo:digits", range(433), labels=open_images("demo:digits").labels)
    sets = ("--id", "demo:digits", "--far", "patches=second.npz", "--val", "copy.npz")
    assert "every image of --val is in a test set, which settings can't be chosen on; give another --val" in refused(
        run, *sets, *TUNE
    )


def test_validation_images_that_are_test_images_take_no_part(run, halves, tmp_path):
    """A benchmark may hold a few images twice."""
    save_arrays(tmp_path / "a.npz", "demo:digits:val", range(100), labels=open_images("demo:digits:val").labels[:100])
    save_arrays(tmp_path / "b.npz", "demo:digits", range(5), labels=open_images("demo:digits").labels[:5])
    both = [np.load(tmp_path / name) for name in ("b.npz", "a.npz")]
    np.savez(tmp_path / "val.npz", **{key: np.concatenate([one[key] for one in both]) for key in ("images", "labels")})
    document = diagnosed(run, V1, *SETS[:-1], "val.npz", *TUNE, "--scorer", "react", *SMALL)
    assert [one["n_id"] for one in document["models"][0]["tuning"]] == [100]
    notes = {one["name"]: one["notes"] for one in document["sets"]}
    assert "5 images are in a test set too: no setting was chosen on them" in notes["val"]
    react = next(row for row in document["models"][0]["results"] if row["scorer"] == "react")
    assert react["n_fit"] == 105, "the scorer that is judged in the end may learn from all of them"


def test_a_search_leaves_no_trace_where_none_was_asked_for(run, halves, monkeypatch):
    monkeypatch.setattr(sys.modules["oodkit.cli.choosing"], "Comparison", lambda: pytest.fail("sets were compared"))
    assert diagnosed(run, V1, *SETS, "--scorer", "msp", *SMALL)["models"][0]["tuning"] == []
