"""Which training images ``oodkit augdelete`` forwards, refits on and lets scorers learn from; what is told of those that lack."""

import json

import pytest
from PIL import Image

from .repairing import BARE, SETS, SMALL, TEST, V2, document_of


@pytest.fixture
def refits(monkeypatch):
    """The outputs that heads were refitted on, and how."""
    from oodkit.cli import repairing

    seen, refit = [], repairing.refit
    monkeypatch.setattr(repairing, "refit", lambda train, **how: seen.append((train, how)) or refit(train, **how))
    return seen


def test_only_the_largest_share_is_forwarded_and_the_smaller_are_rows_of_it(run, forwarded, refits):
    document = document_of(run("augdelete", V2, *SETS, *BARE, "--frac", "0.5,0.25,0.15", "--json"))
    assert sum(forwarded) == 60 + 60 + 60 + 30
    assert [one["images"] for one in document["repair"]["shares"]] == [0, 9, 15, 30]
    assert [one["frac"] for one in document["repair"]["shares"]] == [0, 0.15, 0.25, 0.5]
    rows = [{tuple(row.tolist()) for row in train.features} for train, _ in refits]
    assert [len(one) for one in rows] == [9, 15, 30]
    assert rows[0] < rows[1] < rows[2]
    aurocs = [one["aurocs"]["mls"]["value"] for one in document["repair"]["shares"]]
    means = [next(row["auroc"]["value"] for row in model["results"] if (row["scorer"], row["ood_set"]) == ("mls", "mean"))
             for model in document["models"]]  # fmt: skip
    assert [aurocs[0], aurocs[-1]] == means
    fit = next(one for one in document["sets"] if one["role"] == "fit")
    assert (fit["images"], fit["notes"]) == (30, ["30 of the 60 training images, drawn class by class"])


def test_after_a_diagnosis_no_image_is_forwarded_and_the_outcome_is_the_same(run, forwarded):
    """The share is rows of what the cache holds of all training images."""
    alone = document_of(run("augdelete", V2, *SETS, *BARE, "--frac", "0.5", "--cache", "other", "--json"))
    assert run("diagnose", V2, *TEST, "--fit", "demo:digits:train", *SMALL, *BARE, "-q").code == 0
    forwarded.clear()
    document = document_of(run("augdelete", V2, *SETS, *BARE, "--frac", "0.5", "--json"))
    assert forwarded == []
    for one, other in zip(document["repair"]["shares"], alone["repair"]["shares"], strict=True):
        assert one["accuracy"] == other["accuracy"]
        assert one["aurocs"]["mls"]["value"] == pytest.approx(other["aurocs"]["mls"]["value"], abs=1e-3)
    assert [one["read"] for one in document["models"]] == [one["read"] for one in alone["models"]]


def test_scorers_learn_from_all_training_images_where_the_cache_holds_them(run, refits, tmp_path):
    """Before the repair they have the figures of the diagnosis; the refit takes the share all the same."""
    assert run("diagnose", V2, *TEST, "--fit", "demo:digits:train", *SMALL, *BARE, "-o", "told", "-q").code == 0
    told = json.loads((tmp_path / "told" / "result.json").read_text())
    document = document_of(run("augdelete", V2, *SETS, *BARE, "--frac", "0.5", "--json"))
    assert document["models"][0]["results"] == told["models"][0]["results"]
    after = [row for row in document["models"][1]["results"] if row["scorer"] == "knn"]
    before = [row for row in told["models"][0]["results"] if row["scorer"] == "knn"]
    assert [row["auroc"] for row in after] == [row["auroc"] for row in before]
    assert (document["repair"]["train"]["taken"], len(refits[0][0])) == (30, 30)
    fit = next(one for one in document["sets"] if one["role"] == "fit")
    note = "the last layer is refitted on 30 of the 60 training images, drawn class by class"
    assert (fit["images"], fit["notes"]) == (60, [f"{note}; scorers learn from all, which the cache holds"])


def test_without_the_baselines_images_in_the_cache_scorers_of_both_learn_from_the_share(run, forwarded):
    """Else the lead of KNN at the model and at the baseline would be of banks of other sizes."""
    assert run("diagnose", V2, *TEST, "--fit", "demo:digits:train", *SMALL, *BARE, "-q").code == 0
    forwarded.clear()
    scorers = ("--scorer", "mls", "--scorer", "knn:k=3")
    document = document_of(run("augdelete", V2, *SETS, *scorers, "--frac", "0.5", "--json"))
    assert sum(forwarded) == 60 + 60 + 60 + 30
    assert {row["n_fit"] for row in document["models"][0]["results"] if row["scorer"] == "knn"} == {30}


def test_views_are_forwarded_though_the_cache_holds_the_images_as_evaluated(run, forwarded, refits):
    assert run("diagnose", V2, *TEST, "--fit", "demo:digits:train", *SMALL, *BARE, "-q").code == 0
    forwarded.clear()
    document = document_of(run("augdelete", V2, *SETS, *BARE, "--frac", "0.25,0.5", "--views", "3", "--json"))
    assert sum(forwarded) == 3 * 30
    assert [len(train) for train, _ in refits] == [45, 90]
    assert [how["views"] for _, how in refits] == [3, 3]
    assert document["repair"]["train"] == {"spec": "demo:digits:train", "images": 60, "taken": 30, "views": 3}
    assert [one["images"] for one in document["repair"]["shares"]] == [0, 15, 30]
    assert {row["n_fit"] for row in document["models"][1]["results"] if row["scorer"] == "knn"} == {60}


def test_what_was_interrupted_goes_on_where_it_stopped(run, monkeypatch, forwarded):
    """Of 721 training images two shards of 512; it stops in the second."""
    from oodkit import forward

    sets = (*TEST, "--train", "demo:digits:train", "--workers", "0", "--device", "cpu", "--batch-size", "256", "--frac", "1")
    counted = forward.Runner.run

    def stopping(self, pixels):
        if sum(forwarded) == 433 + 512:  # the ID images, and the first shard
            raise KeyboardInterrupt
        return counted(self, pixels)

    monkeypatch.setattr(forward.Runner, "run", stopping)
    ran = run("augdelete", V2, *sets, *BARE, "-q")
    assert ran.code == 130
    assert "interrupted; what is done is kept, and the same command goes on from there" in ran.err
    monkeypatch.setattr(forward.Runner, "run", counted)
    forwarded.clear()
    assert run("augdelete", V2, *sets, *BARE, "-q").code == 0
    assert sum(forwarded) == 721 - 512 + 354 + 400


def test_the_strength_is_judged_on_validation_images_where_they_have_labels(run, tmp_path):
    document = document_of(run("augdelete", V2, *SETS, *BARE, "--val", "demo:digits:val", "--json"))
    assert document["repair"]["refit"]["n_held_out"] == 60
    (tmp_path / "flat").mkdir()
    for i in range(6):
        Image.new("RGB", (8, 8), (40 * i, 0, 0)).save(tmp_path / "flat" / f"{i}.png")
    document = document_of(run("augdelete", V2, *SETS, *BARE, "--val", "flat", "--json"))
    assert document["repair"]["refit"]["n_held_out"] < 12
    assert "the validation images have no labels: the strength was not judged on them" in document["repair"]["notes"]


def test_a_share_has_an_image_of_each_class_at_least_and_says_so(run):
    document = document_of(run("augdelete", V2, *SETS, *BARE, "--frac", "0.001", "--json"))
    assert document["repair"]["shares"][1]["images"] == 8
    notes = document["repair"]["notes"] + document["repair"]["refit"]["notes"]
    assert "0.1 % of the 60 training images are 0: 8 were taken, at least one of each class" in notes
    assert any("no class has two images, so none could be held out" in note for note in notes)
    document = document_of(run("augdelete", V2, *SETS, *BARE, "--frac", "1e-300", "--json"))
    notes = document["repair"]["notes"]
    assert "under 0.0001 % of the 60 training images are 0: 8 were taken, at least one of each class" in notes


def test_a_share_of_few_images_a_class_is_told_with_the_option_that_takes_all(run):
    """Once, and not where there are no more."""
    documents = [document_of(run("augdelete", V2, *SETS, *BARE, "--frac", frac, "--json")) for frac in ("0.4", "1")]
    few = [[note for note in one["repair"]["notes"] if "few" in note] for one in documents]
    assert few == [["3 images a class are few to refit a last layer on; --frac 1 takes all 60"], []]


def test_classes_without_training_images_are_told(run, digits_folder):
    folder = digits_folder("train", classes=5)
    document = document_of(run("augdelete", V2, *TEST, "--train", folder, *SMALL, *BARE, "--frac", "1", "--json"))
    assert any(note.startswith("3 of 8 classes have no training images") for note in document["repair"]["refit"]["notes"])


def test_unreadable_images_of_a_share_are_skipped_and_counted(run, digits_folder, tmp_path):
    folder = digits_folder("train")
    broken = sorted((tmp_path / "train" / "0").iterdir())
    for path in broken:
        path.write_bytes(b"no image")
    sets = (*TEST, "--train", folder, *SMALL)
    for arguments in ((), ("--views", "2")):
        document = document_of(run("augdelete", V2, *sets, *BARE, "--frac", "1", *arguments, "--json"))
        assert document["repair"]["shares"][1]["images"] == 60 - len(broken)
        assert document["repair"]["train"]["taken"] == 60
        fit = next(one for one in document["sets"] if one["role"] == "fit")
        assert (fit["read"], fit["skipped"]) == (60 - len(broken), len(broken))


@pytest.fixture
def digits_folder(tmp_path):
    """60 training digits as a folder of class folders; returns its path."""

    def make(name, classes=8):
        from oodkit.images import open_images

        digits = open_images("demo:digits:train", limit=60)
        for index in range(60):
            if digits.labels[index] < classes:
                folder = tmp_path / name / str(digits.labels[index])
                folder.mkdir(parents=True, exist_ok=True)
                digits.load(index).save(folder / f"{index}.png")
        return str(tmp_path / name)

    return make
