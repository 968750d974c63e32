"""A whole assessment: on the demo's digits, where what is good and what is not is known, and on folders of a few images."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

import oodkit
from oodkit.demo.sets import DemoSet
from oodkit.errors import ImageSetError, UsageError
from oodkit.images import open_images
from oodkit.synth.quality.assess import assess

SEEN = (
    "tiny was probably trained on the real images: even a perfect generator may not reach their agreement and confidence; "
    "--held-out SET tells those of images that it has not seen"
)
DIGITS = tuple(str(digit) for digit in range(8))


def changed(images, change, *, labels=None, name="made"):
    pixels = change(images.pixels.astype(np.float64))
    return DemoSet(name, pixels.clip(0, 255).astype(np.uint8), images.labels if labels is None else labels, images.names, DIGITS)


@pytest.fixture(scope="module")
def digits():
    return {split: open_images(f"demo:digits:{split}") for split in ("train", "val", "test")}


@pytest.fixture(scope="module")
def found(digits, tmp_path_factory):
    """good: other real digits. copied: half of them training images, hardly changed. swapped: each labelled as the next digit."""
    rng = np.random.default_rng(0)
    train, test = digits["train"], digits["test"]
    half = np.arange(0, len(train), 2)
    mixed = np.concatenate([train.pixels[half] + rng.normal(0, 1, train.pixels[half].shape), test.pixels])
    labels = np.concatenate([train.labels[half], test.labels])
    sets = {
        "noisy": changed(test, lambda pixels: pixels + rng.normal(0, 60, pixels.shape)),
        "copied": DemoSet("copied", mixed.clip(0, 255).astype(np.uint8), labels, [str(n) for n in range(len(labels))], DIGITS),
        "good": test,
        "swapped": changed(test, lambda pixels: pixels, labels=(test.labels + 1) % 8),
    }
    model = oodkit.load_classifier("demo:digits-v1")
    return assess(train, sets, model, held_out=digits["val"], count=240, cache=tmp_path_factory.mktemp("cache"))


def of(found, name):
    return next(one for one in found.sets if one.name == name)


def test_every_set_is_compared_by_as_many_images_and_all_real_ones_are_searched(found, digits):
    assert (found.n, found.asked, found.probed_on) == (240, 240, 240)
    for one in (found.floor, *found.sets):
        assert sum(own.n for own in one.classes) == 240
        assert sorted(own.name for own in one.classes) == list(DIGITS)
        assert one.nearest.images == 240
    assert found.floor.nearest.searched == found.floor.images == len(digits["train"])


def test_real_images_are_the_floor_and_other_real_images_lie_at_it(found):
    floor, good, noisy = found.floor, of(found, "good"), of(found, "noisy")
    assert abs(floor.kid) < 3 * floor.kid_sd
    assert abs(good.kid) < 4 * good.kid_sd
    assert good.frechet < 2 * floor.frechet < noisy.frechet
    assert floor.coverage == pytest.approx(found.expected_coverage, abs=0.04)
    assert noisy.coverage < good.coverage
    assert noisy.kid > 5 * noisy.kid_sd
    assert (floor.rank, floor.coverage_rank) == (0, 0)
    assert 0 < found.frechet_noise < floor.frechet


def test_sets_come_by_frechet_distance_each_with_both_ranks(found):
    first, *others = found.sets
    assert first.rank == 1
    for place, (before, one) in enumerate(zip(found.sets, others, strict=False), 2):
        lead = next(own.frechet for own in found.sets if own.rank == before.rank)
        assert one.rank == (place if one.frechet > lead + found.frechet_noise else before.rank)
    assert [one.frechet for one in found.sets] == sorted(one.frechet for one in found.sets)
    by_coverage = sorted(found.sets, key=lambda one: one.coverage_rank)
    assert [one.coverage for one in by_coverage] == sorted((one.coverage for one in found.sets), reverse=True)


def test_copies_are_found_and_named(found):
    copied = of(found, "copied")
    assert [one.name for one in found.sets if one.nearest.flagged] == ["copied"]
    assert copied.nearest.near_copies > 60
    assert copied.nearest.p < 1e-9
    assert copied.nearest.copies[0].ratio < 0.2
    assert copied.nearest.copies[0].real.startswith("load_digits/")
    assert any(note.startswith("copied may hold copies of real images: ") for note in found.notes)


def test_a_copy_of_any_real_image_is_found_where_images_are_held_out(digits, tmp_path):
    """8 images of each set are compared, and the copies are of real images far from those eight."""
    train = digits["train"]
    picks = np.concatenate([np.flatnonzero(train.labels == digit)[-6:] for digit in range(8)])
    copied = DemoSet("copied", train.pixels[picks], train.labels[picks], [str(n) for n in picks], DIGITS)
    model = oodkit.load_classifier("demo:digits-v1")
    ask = {"count": 16, "cache": tmp_path}
    without = assess(train, {"copied": copied}, model, **ask).sets[0].nearest
    found = assess(train, {"copied": copied}, model, **ask, held_out=digits["val"]).sets[0].nearest
    assert (without.searched, without.near_copies < 8) == (16, True)
    assert (found.searched, found.near_copies, found.flagged) == (len(train), 16, True)


def test_labels_that_are_wrong_disagree_and_teach_wrongly(found):
    """Of each class alone the images are another digit's, so its kernel distance is large and nothing of the class is covered."""
    good, swapped = of(found, "good"), of(found, "swapped")
    assert min(good.agreement, good.probe) > 0.9
    assert max(swapped.agreement, swapped.probe) < 0.1
    assert max(own.coverage for own in swapped.classes) < 0.2
    assert min(own.coverage for own in good.classes) > 0.7
    assert swapped.confidence > 0.9


def test_classes_come_best_first(found):
    for one in found.sets:
        assert [own.above for own in one.classes] == sorted(own.above for own in one.classes)
    assert all(own.above is None for own in found.floor.classes)
    assert sum(own.above < 2 for own in of(found, "good").classes) >= 7
    assert min(own.above for own in of(found, "swapped").classes) > 5


def test_it_is_json(found):
    text = json.dumps(asdict(found), allow_nan=False)
    assert sum(one["n"] for one in json.loads(text)["sets"][0]["classes"]) == 240


def test_the_same_again_is_the_same_and_reads_the_cache(digits, tmp_path, monkeypatch):
    model = oodkit.load_classifier("demo:digits-v1")
    ask = {"count": 100, "cache": tmp_path, "seed": 5}
    seen = []
    first = assess(digits["train"], {"test": digits["test"]}, model, **ask, progress=lambda *told: seen.append(told))
    assert {what for _, _, what in seen} == {"real", "test", "comparing"}
    assert {total for _, total, what in seen if what != "comparing"} == {200, 100}
    monkeypatch.setattr(model.net, "forward", None)
    assert assess(digits["train"], {"test": digits["test"]}, model, **ask) == first
    with pytest.raises(TypeError):  # another draw has to run the network
        assess(digits["train"], {"test": digits["test"]}, model, **(ask | {"seed": 6}))


def test_a_set_that_lies_in_the_cache_as_a_whole_is_not_run_again(digits, tmp_path, monkeypatch):
    model = oodkit.load_classifier("demo:digits-v1")
    for split in ("train", "test"):
        oodkit.extract(model, digits[split], cache=tmp_path)
    monkeypatch.setattr(model.net, "forward", None)
    assert assess(digits["train"], {"test": digits["test"]}, model, count=100, cache=tmp_path).n == 100


def test_a_set_of_which_half_is_wanted_is_read_as_a_whole_so_that_other_draws_find_it(digits, tmp_path, monkeypatch):
    model = oodkit.load_classifier("demo:digits-v1")
    seen = set()
    ask = {"cache": tmp_path, "count": 300}
    assess(digits["train"], {"test": digits["test"]}, model, **ask, progress=lambda _, *told: seen.add(told))
    assert {(len(digits["train"]), "real"), (len(digits["test"]), "test")} < seen
    monkeypatch.setattr(model.net, "forward", None)
    assert assess(digits["train"], {"test": digits["test"]}, model, **(ask | {"count": 50})).n == 50


@pytest.fixture
def sets(image_folder):
    """Real images, and others of the same classes; 24 and 12 of each."""
    return open_images(image_folder("real", each=24)), open_images(image_folder("made", each=12, seed=1))


def test_what_limits_the_comparison_is_said(sets, tiny_model):
    why = "as many of each class as every set has (half of the real images are"
    found = assess(sets[0], {"made": sets[1]}, tiny_model, cache=False, count=99)
    assert (found.n, found.held_out) == (36, None)
    assert found.notes == [f"36 images of each set are compared, not 99: {why} 36, made has 36)", SEEN]
    few = assess(sets[1], {"mine": open_images(sets[1].spec, limit=9)}, tiny_model, cache=False)
    assert few.notes[0] == f"9 images of each set are compared: {why} 18, mine has 9)"


def test_a_class_that_a_set_lacks_is_in_no_comparison(sets, image_folder, tiny_model):
    lacking = open_images(image_folder("lacking", ("cat", "fox"), each=12, seed=2))
    found = assess(sets[0], {"made": sets[1], "lack\x1bing": lacking}, tiny_model, cache=False)
    assert found.n == 24
    assert {one.name: list(one.missing) for one in found.sets} == {"made": [], "lack\x1bing": ["dog"]}
    assert found.class_names == ["cat", "fox"]
    assert "lack\\x1bing has no image of 1 class, such as dog: no set is compared by them" in found.notes


def test_images_that_can_t_be_read_are_left_out_everywhere(sets, tiny_model):
    """Three of the synthetic cats: 9 cats, 12 dogs and 12 foxes of every set."""
    for number in range(3):
        (Path(sets[1].spec) / "cat" / f"{number}.png").write_bytes(b"no image")
    found = assess(sets[0], {"made": open_images(sets[1].spec)}, tiny_model, cache=False)
    assert {own.name: own.n for own in found.sets[0].classes} == {"cat": 9, "dog": 12, "fox": 12}
    assert "3 images of made could not be read and are left out" in found.notes


def test_images_without_classes_are_compared_as_they_are(sets, tiny_model):
    real, made = (open_images(f"{one.spec}/cat") for one in sets)
    found = assess(real, {"made": made}, tiny_model, cache=False)
    row = found.sets[0]
    assert (found.n, found.class_names, row.agreement, row.confidence, row.probe) == (12, [], None, None, None)
    assert row.classes == []
    assert "the real images have no classes: agreement, confidence and a new head's accuracy can't be told" in found.notes


def test_fewer_images_than_features_are_remarked_on(sets, tiny_model):
    """6 features."""
    found = assess(sets[0], {"made": sets[1]}, tiny_model, cache=False, count=6)
    assert found.features == 6
    assert any(
        note.startswith("6 images do not fill 6 features: Fréchet distances are mostly an effect of n, ") for note in found.notes
    )


def test_a_class_of_one_image_has_no_figures_of_its_own(sets, tiny_model):
    found = assess(sets[0], {"made": open_images(sets[1].spec, limit=7)}, tiny_model, cache=False, count=7)
    assert [one.n for one in found.floor.classes] == [3, 2, 2]
    assert [(one.kid is None, one.coverage) for one in found.floor.classes] == [(False, None), (True, None), (True, None)]


def test_features_that_say_nothing_are_no_error(sets, tiny_model):
    """All images have the same."""
    with torch.no_grad():
        tiny_model.net.body.weight.zero_()
    found = assess(sets[0], {"made": sets[1]}, tiny_model, cache=False)
    row = found.sets[0]
    assert (row.frechet, row.coverage, row.density, row.nearest.ratio) == (pytest.approx(0, abs=1e-6), 0, 0, None)
    assert json.dumps(asdict(found), allow_nan=False)


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        ({"synthetic": {}}, "no synthetic images to compare with the real ones: give one set or more"),
        ({"synthetic": {"real": None}}, "'real' is the row of real images; give the synthetic set another name"),
        ({"count": 5}, "a count of more than 5 images is needed, got 5; take 1000 or more"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        (
            {"held_out": "real"},
            "the held-out images are the real ones; give images that no generator was made of, or leave them out",
        ),
    ],
)
def test_what_can_t_be_compared_is_refused_in_one_line(ask, text, sets, tiny_model):
    real, made = sets
    ask = {"synthetic": {"made": made}, **ask}
    if "held_out" in ask:
        ask["held_out"] = real
    with pytest.raises(UsageError) as error:
        assess(real, ask.pop("synthetic"), tiny_model, cache=False, **ask)
    assert str(error.value) == text


def test_sets_without_a_common_class_are_refused(sets, image_folder, tiny_model):
    other = open_images(image_folder("other", ("car", "bus"), each=9))
    with pytest.raises(
        ImageSetError, match=r"^other has no image of a class of the real ones \(cat, dog, fox, …\); name its class"
    ):
        assess(sets[0], {"other": other}, tiny_model, cache=False)
    with pytest.raises(ImageSetError, match=r"have none of the classes that are compared; name them alike$"):
        assess(
            sets[0], {"made": sets[1]}, tiny_model, held_out=other, cache=False, progress=lambda *_: pytest.fail("images were read")
        )


def test_what_unseen_real_images_come_to_is_told_where_there_are_some(found, digits, tmp_path):
    """The classifier's own accuracy on them."""
    model, val = oodkit.load_classifier("demo:digits-v1"), digits["val"]
    outputs = oodkit.extract(model, val, cache=tmp_path)
    accuracy = float((outputs.predictions() == outputs.labels).double().mean())
    assert found.unseen.images == 240
    assert found.unseen.agreement == pytest.approx(accuracy, abs=0.02)
    assert 0.9 < found.unseen.confidence <= 1
    assert not any("was probably trained on the real images" in note for note in found.notes)


def test_labels_that_the_extractor_gave_itself_have_no_agreement(sets, tiny_model):
    own = {"made": sets[1], "other\x1b": sets[1]}
    found = assess(sets[0], own, tiny_model, cache=False, labelled_by_it=["other\x1b"])
    made, other = sorted(found.sets, key=lambda one: one.name)
    assert None not in (made.agreement, *(one.agreement for one in made.classes), other.confidence)
    assert {other.agreement, *(one.agreement for one in other.classes)} == {None}
    assert found.unseen is None
    assert (
        "other\\x1b was labelled or filtered by tiny itself: its agreement would be true by construction, "
        "and its confidence may be chosen too"
    ) in found.notes
    assert sum("construction" in note for note in found.notes) == 1


def test_two_images_a_class_are_too_few_to_order_classes(sets, tiny_model):
    few = "each class has at most 2 images to compare: too few to tell which classes are worse than others"
    found = assess(sets[0], {"made": sets[1]}, tiny_model, cache=False, count=6)
    assert few in found.notes
    assert {one.above for one in found.sets[0].classes} == {None}
    assert few not in assess(sets[0], {"made": sets[1]}, tiny_model, cache=False, count=9).notes
