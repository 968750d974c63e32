"""A synthesis whose images are labelled, or held against their labels, by a classifier."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oodkit.errors import OodkitError
from oodkit.synth.base import Request
from oodkit.synth.run import synthesize

from .made_folder import images, manifest, run
from .stand_in import CLASSES, Looks, StandIn, labelling


def test_images_without_classes_get_them_from_a_classifier(tmp_path: Path) -> None:
    with labelling():
        found = synthesize(StandIn(conditional=False), tmp_path / "made", count=20, label_with=Looks(), min_confidence=0.3)
    kept, dropped = manifest(tmp_path / "made"), manifest(tmp_path / "made", "dropped.jsonl")
    assert len(kept) + len(dropped) == 20
    assert sorted(one["index"] for one in kept + dropped) == list(range(20))
    assert [(one["label"], one["index"]) for one in kept] == sorted((one["label"], one["index"]) for one in kept)
    for one in kept + dropped:
        assert one["class"] == CLASSES[one["seed"] % 3].folder
        assert (one["labelled_by"], one["predicted"]) == ("looks", one["class"])
        assert ("dropped" in one) == (one["confidence"] < 0.3)
    assert {one["dropped"] for one in dropped} == {"unsure"}
    assert all(one["file"] is None for one in dropped)
    assert len(found) == len(kept) == run(tmp_path / "made")["counts"]["kept"]
    assert run(tmp_path / "made")["counts"]["dropped"] == {"unsure": len(dropped)}


def test_a_real_classifier_gives_digits_the_labels_that_they_have(demo: Any, tmp_path: Path) -> None:
    model, sets, _ = demo

    class Digits(StandIn):
        def image(self, request: Request) -> torch.Tensor:
            return torch.from_numpy(np.array(sets["val"].load(request.index))).permute(2, 0, 1)

    found = synthesize(Digits(conditional=False, size=32), tmp_path / "made", count=48, label_with=model, device="cpu")
    kept = manifest(tmp_path / "made")
    true = [sets["val"].class_names[sets["val"].labels[one["index"]]] for one in kept]
    assert len(found) == 48
    assert sum(one["class"] == name for one, name in zip(kept, true, strict=True)) >= 44
    assert {one["labelled_by"] for one in kept} == {model.name}
    assert all(1 / model.num_classes <= one["confidence"] <= 1 for one in kept)


def test_what_a_classifier_takes_an_image_for_is_a_class_folder_and_labels_stay_the_generator_s(tmp_path: Path) -> None:
    with labelling():
        synthesize(StandIn(classes=CLASSES[::-1]), tmp_path / "made", per_class=2, label_with=Looks(), say=lambda _: None)
    assert {(one["class"], one["label"], one["predicted"]) for one in manifest(tmp_path / "made")} == {
        (of.folder, of.label, of.folder) for of in CLASSES
    }
    note = run(tmp_path / "made")["notes"][0]
    assert note.startswith("the labels are the generator's, and what the classifier says stands in manifest.jsonl alone: --keep-ag")


def test_of_a_quota_the_first_of_each_class_are_kept(tmp_path: Path) -> None:
    with labelling():
        for name, more in (("all", {}), ("few", {"per_class": 3})):
            synthesize(StandIn(conditional=False), tmp_path / name, count=30, label_with=Looks(), **more)
    every, few = manifest(tmp_path / "all"), manifest(tmp_path / "few")
    expected = [one for of in CLASSES for one in [line for line in every if line["class"] == of.folder][:3]]
    assert few == expected
    assert set(images(tmp_path / "few")) == {one["file"] for one in expected}
    assert run(tmp_path / "few")["counts"]["dropped"] == {"over the quota": 21}


def test_what_a_classifier_takes_for_another_class_is_dropped_and_counted_by_class(tmp_path: Path) -> None:
    mistaken = tuple(CLASSES[at].__class__(CLASSES[at].folder, CLASSES[at].name, label=label) for at, label in enumerate((0, 0, 2)))
    with labelling():
        synthesize(
            StandIn(classes=mistaken), tmp_path / "made", classes=mistaken, per_class=4, label_with=Looks(), keep_agreeing=True
        )
    assert run(tmp_path / "made")["counts"]["dropped"] == {"disagreed": 12 - len(manifest(tmp_path / "made"))}
    assert run(tmp_path / "made")["counts"]["per_class"]["n02"] == {"kept": 0, "dropped": 4}
    assert not (tmp_path / "made" / "n02").exists()


def test_where_no_image_is_kept_it_says_so(tmp_path: Path) -> None:
    with (
        labelling(),
        pytest.raises(OodkitError, match=r"no image was kept in .*made \(4 unsure\); ask for a lower --min-confidence"),
    ):
        synthesize(StandIn(conditional=False), tmp_path / "made", count=4, label_with=Looks(), min_confidence=1.0)


def test_without_classes_and_labels_images_lie_side_by_side(tmp_path: Path) -> None:
    found = synthesize(StandIn(conditional=False), tmp_path / "made", count=5)
    assert found.labels.tolist() == [-1] * 5
    assert [(one["class"], one["labelled_by"], one["file"]) for one in manifest(tmp_path / "made")] == [
        (None, None, f"{one['seed']}.png") for one in manifest(tmp_path / "made")
    ]
