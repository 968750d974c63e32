"""A fit is settled before anything is trained, and what can't be fitted is told in one line."""

import math
import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from oodkit import open_images
from oodkit.errors import ImageSetError, UsageError
from oodkit.synth.fit import plan
from oodkit.synth.fit.plan import default_patch, plan_fit, shown

from .tiny import dark_and_bright


def of_sizes(folder, *sizes):
    (folder / "one").mkdir(parents=True)
    for number, size in enumerate(sizes):
        Image.new("RGB", size, (number, 9, 200)).save(folder / "one" / f"{number}.png")
    return open_images(str(folder))


@pytest.fixture
def tiny(tmp_path):
    return dark_and_bright(tmp_path / "set")


def test_classes_and_side_are_the_images_own(tiny):
    planned = plan_fit(tiny)
    assert [(one.folder, one.name, one.label) for one in planned.classes] == [("bright", "bright", 0), ("dark", "dark", 1)]
    assert (planned.architecture.side, planned.architecture.patch, planned.asked["size"]) == (8, 1, 8)


def test_the_strength_of_the_pixels_is_measured_about_zero(tmp_path):
    """Of one colour whose channels are −0.929, −0.929 and 0.569: their mean, −0.43, is no part of the deviation alone."""
    (tmp_path / "one").mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8), (9, 9, 200)).save(tmp_path / "one" / f"{number}.png")
    expected = math.sqrt((2 * (9 / 127.5 - 1) ** 2 + (200 / 127.5 - 1) ** 2) / 3)
    assert plan_fit(open_images(str(tmp_path))).architecture.sigma_data == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(("side", "patch"), [(8, 1), (16, 1), (28, 2), (32, 2), (64, 2), (96, 4), (256, 8)])
def test_a_large_image_is_seen_in_patches(side, patch):
    assert default_patch(side) == patch


@pytest.mark.parametrize(
    ("size", "patch", "widths"),
    [
        (8, None, (32, 64)),
        (16, None, (64, 128, 128)),
        (32, None, (64, 128, 128)),
        (64, None, (64, 128, 128, 128)),
        (32, 4, (128, 256)),
    ],
)
def test_the_network_is_as_deep_as_the_image_is_wide(tiny, size, patch, widths):
    assert plan_fit(tiny, size=size, patch=patch).architecture.widths == widths


def test_the_epochs_show_as_many_images_as_the_size_needs(tiny):
    assert plan_fit(tiny).settings.epochs == -(-shown(8) // 24)
    assert plan_fit(tiny, epochs=3, batch_size=8).steps == 9


def test_unsaid_precision_and_epochs_are_part_of_what_was_asked(tiny):
    asked = plan_fit(tiny).asked["settings"]
    assert asked["epochs"] == -(-shown(8) // 24)
    assert asked["amp"] in ("no", "bf16")


@pytest.mark.parametrize(("fast", "amp"), [("cpu", "bf16"), ("meta", "no")])
def test_unsaid_precision_is_that_of_the_device_that_was_asked_for(tiny, monkeypatch, fast, amp):
    """And not that of the best device here."""
    monkeypatch.setattr(plan, "resolve_device", lambda name: torch.device({"auto": "meta", "cpu": "cpu"}[name]))
    monkeypatch.setattr(plan, "fast_in_bf16", lambda device: device.type == fast)
    assert plan_fit(tiny, device="cpu").settings.amp == amp


def test_a_reduction_is_noted():
    images = open_images("demo:digits:train")
    told = "images of up to 32 pixels a side are reduced to 16: what is made is as blurred as they are then"
    assert any(note.startswith(told) for note in plan_fit(images, size=16).notes)
    assert not any("reduced" in note for size in (32, 64) for note in plan_fit(images, size=size).notes)


def test_mirroring_is_noted(tiny):
    assert any("--no-flip" in note for note in plan_fit(tiny).notes)
    assert not any("--no-flip" in note for note in plan_fit(tiny, flip=False).notes)


def test_the_documented_fit_of_the_demos_digits_has_the_steps_that_it_needs():
    """Of ``docs/commands/synth-fit.md`` and ``docs/sio.md``."""
    docs = Path(__file__).parents[3] / "docs"
    command = re.compile(r"synth fit --data demo:digits-8x8:train(?: --epochs (\d+))? --no-flip")
    for page in ("commands/synth-fit.md", "sio.md"):
        said = command.search((docs / page).read_text("utf-8"))
        assert said is not None
        epochs = {} if said[1] is None else {"epochs": int(said[1])}
        assert plan_fit(open_images("demo:digits-8x8:train"), flip=False, **epochs).notes == ()


def test_a_class_without_images_is_noted(tmp_path):
    dark_and_bright(tmp_path / "set", each=2)
    (tmp_path / "set" / "zebra").mkdir()
    planned = plan_fit(open_images(str(tmp_path / "set")))
    assert [one.name for one in planned.classes] == ["bright", "dark"]
    assert any("1 class has no image, such as 'zebra'" in note for note in planned.notes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 300}, "from 4 to 256 pixels, got 300"),
        ({"size": 37}, "37 pixels are none of 2 × 2; give --size 36, or another --patch"),
        ({"patch": 0}, "another --patch"),
        ({"patch": 4}, "8 pixels are none of 4 × 4; give --size 16"),
        ({"channels": 12}, "a multiple of 8, got 12"),
        ({"epochs": 0}, "epochs must be 1 or more, got 0"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"seed": 10**20 - 1}, "seed must be from 0 to 9223372036854775807, got 99999999999999999999"),
        ({"alpha": 0.5}, "alpha"),
        ({"lr": "fast"}, "lr"),
        ({"batch_size": 1}, "batch_size must be 2 or more, got 1"),
    ],
)
def test_what_can_not_be_is_one_line(tiny, given, said):
    with pytest.raises(UsageError, match=re.escape(said)) as error:
        plan_fit(tiny, **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("sizes", [[(8, 8), (9, 9)], [(20, 10)], [(65, 65)]])
def test_images_of_no_one_small_square_need_a_size(tmp_path, sizes):
    images = of_sizes(tmp_path / "set", *sizes)
    with pytest.raises(UsageError, match=r"give --size SIDE|such as --size 32"):
        plan_fit(images)
    assert plan_fit(images, size=8).architecture.side == 8


def test_an_image_whose_size_is_said_is_read_once(tmp_path, monkeypatch):
    images, read = of_sizes(tmp_path / "set", (20, 10), (9, 30)), []
    load = type(images).load
    monkeypatch.setattr(type(images), "load", lambda own, index: read.append(index) or load(own, index))
    assert any(note.startswith("images of up to 10 pixels a side are reduced to 8") for note in plan_fit(images, size=8).notes)
    assert read == [0, 1]


def test_images_without_labels_can_not_be_fitted(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    with pytest.raises(ImageSetError, match="needs a label for each image"):
        plan_fit(open_images(str(tmp_path)))


def test_a_set_of_broken_images_is_told(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "bad\x1b.png").write_bytes(b"no image")
    with pytest.raises(ImageSetError, match=r"no image of .* can be read, such as one/bad\\x1b\.png"):
        plan_fit(open_images(str(tmp_path)))
