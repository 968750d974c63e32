"""Networks to be trained: equal seeds make equal weights, what is built is what its file loads, heads stay or are made anew."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import oodkit
from oodkit.classifier import Classifier
from oodkit.errors import ModelNotFoundError, UnsupportedModelError, UsageError
from oodkit.images.arrays import ArraySet
from oodkit.models.adapted import Normalise, normalised_head
from oodkit.training.networks import Built, adopt, build, head_of
from oodkit.training.saved import save_network


def equal(one: Built, other: Built) -> bool:
    pairs = zip(one.net.state_dict().values(), other.net.state_dict().values(), strict=True)
    return all(torch.equal(own, another) for own, another in pairs)


def test_the_generators_of_gpus_are_left_alone(monkeypatch):
    """``torch.manual_seed`` seeds them too, and nothing would bring them back."""
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda _seed: pytest.fail("a GPU's generator was seeded"))
    adopt(oodkit.load_classifier("demo:digits-v1"), images(("a", "b"), (0, 1)))
    build("test_resnet", num_classes=4, input_size=32)


@pytest.mark.parametrize("arch", ["test_resnet", "torchvision:resnet18", "test_vit"])
def test_equal_seeds_make_equal_weights_and_leave_the_generator_alone(arch: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (build(arch, num_classes=4, input_size=32, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert equal(one, same)
    assert not equal(one, other)


@pytest.mark.parametrize(
    ("stem", "side", "expected"),
    [("auto", 32, "small"), ("auto", 64, "small"), ("auto", 65, "own"), ("own", 32, "own"), ("small", 96, "small")],
)
def test_stems_are_small_for_small_images_unless_told(stem, side, expected):
    built = build("test_resnet", num_classes=4, input_size=side, stem=stem)
    assert built.stem == expected
    assert built.net.get_submodule("conv1.0").stride == ((1, 1) if expected == "small" else (2, 2))


def test_a_network_without_such_a_stem_keeps_its_own_unless_a_small_one_is_asked_for() -> None:
    assert build("test_vit", num_classes=4, input_size=32).stem == "own"
    with pytest.raises(UsageError, match="VisionTransformer has no stem to make small"):
        build("test_vit", num_classes=4, input_size=32, stem="small")


@pytest.mark.parametrize(
    ("arch", "kind"),
    [
        ("resnet18", "timm:resnet18"),
        ("timm:resnet18", "timm:resnet18"),
        ("torchvision:resnet18", "torchvision:resnet18"),
        ("squeezenet1_1", "torchvision:squeezenet1_1"),
        ("test_vit.r160_in1k", "timm:test_vit.r160_in1k"),
    ],
)
def test_a_name_that_both_libraries_have_is_timms(arch, kind):
    if arch == "squeezenet1_1":  # a head of positions and a ReLU: what is promised is the name
        with pytest.raises(UnsupportedModelError, match=r"classifier\.1 scores each of \d+ positions"):
            build(arch, num_classes=4, input_size=64)
    else:
        assert build(arch, num_classes=4, input_size=32).architecture == kind


@pytest.mark.parametrize("arch", ["restnet18", "timm:restnet18", "torchvision:restnet18"])
def test_an_unknown_name_gets_the_nearest(arch: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"did you mean .*resnet18"):
        build(arch, num_classes=4)


def test_small_images_are_evaluated_whole_and_larger_ones_in_part() -> None:
    small, large = (build("resnet18", num_classes=4, input_size=side) for side in (64, 96))
    assert (small.preprocessing["crop_pct"], small.preprocessing["interpolation"]) == (1.0, "bilinear")
    assert (large.preprocessing["crop_pct"], large.preprocessing["interpolation"]) == (0.875, "bilinear")
    plain = build("torchvision:efficientnet_b0", num_classes=4, input_size=224)
    assert (plain.preprocessing["resize_size"], plain.preprocessing["interpolation"]) == (256, "bilinear")


def test_the_size_is_the_architectures_where_none_is_given() -> None:
    assert build("test_vit", num_classes=4).input_size == (3, 160, 160)


def test_the_size_is_what_the_architecture_is_trained_at_not_what_timm_tests_it_at() -> None:
    built = build("resnet18", num_classes=4)
    assert built.net.pretrained_cfg["test_input_size"] == (3, 288, 288)
    assert built.input_size == (3, 224, 224)
    assert {key: built.preprocessing[key] for key in ("input_size", "crop_pct", "interpolation")} == {
        "input_size": [3, 224, 224],
        "crop_pct": 0.875,
        "interpolation": "bilinear",
    }
    resized = built.transform.transforms[0]
    assert (resized.size, resized.interpolation.value) == (256, "bilinear")


def test_arguments_that_do_not_fit_are_told() -> None:
    with pytest.raises(UsageError, match="no stem 'tiny'; choose from auto, small, own"):
        build("test_resnet", num_classes=4, stem="tiny")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(UsageError, match="leave --model-arg num_classes out"):
        build("test_resnet", num_classes=4, model_args={"num_classes": 5})
    with pytest.raises(UsageError, match="can't build test_resnet"):
        build("test_resnet", num_classes=4, model_args={"colour": 5})
    with pytest.raises(UsageError, match="a network with 1 input channels needs --mean and --std of 1 numbers each"):
        build("test_resnet", num_classes=4, input_size=(1, 32, 32))


def test_a_last_layer_that_starts_from_zeros_is_found_and_stays_so() -> None:
    """As torchvision's ViT begins."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 3))
    nn.init.zeros_(net[3].weight)
    assert head_of(net, (3, 2, 2)).layers == ("3",)
    assert not net.get_parameter("3.weight").any()


def images(classes: tuple[str, ...] | None, labels: tuple[int, ...] = (0, 1, 2)) -> ArraySet:
    pixels = np.zeros((len(labels), 8, 8, 3), np.uint8)
    return ArraySet("mine.npz", pixels, np.array(labels), classes)


def loaded(folder: Path, arch: str = "test_resnet", normalised: bool = False, **more: object) -> Classifier:
    built = build(arch, num_classes=3, input_size=32, **more)
    if normalised:
        normalised_head(built.net, built.head[0])
    built.class_names = ("cat", "dog", "fox")
    save_network(folder / "model.safetensors", built.net, built, more={"head": "normalised"} if normalised else {})
    return oodkit.load_classifier(f"local-dir:{folder}")


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("classes", [("cat", "dog", "fox"), ("fox", "cat", "dog"), ("fox",), None])
def test_the_last_layer_stays_where_the_model_knows_every_class(tmp_path, classes, normalised):
    model = loaded(tmp_path, normalised=normalised)
    before = {name: one.clone() for name, one in model.net.state_dict().items()}
    built = adopt(model, images(classes, (0, 0, 0) if classes == ("fox",) else (0, 1, 2)))
    assert built.net is model.net
    assert built.net.training
    assert (built.notes, built.class_names, built.num_classes) == ([], ("cat", "dog", "fox"), 3)
    assert all(torch.equal(one, before[name]) for name, one in built.net.state_dict().items())


@pytest.mark.parametrize(
    ("classes", "labels", "count"),
    [
        (("cat", "cow", "fox"), (0, 1, 2), 3),
        (("a", "b", "c"), (0, 1, 2), 3),
        (("cat", "dog", "fox", "owl"), (0,), 4),
        (None, (0, 4), 5),
    ],
)
def test_other_classes_get_a_fresh_last_layer_and_a_note(tmp_path, classes, labels, count):
    model = loaded(tmp_path)
    name = model.name
    before = model.net.get_parameter("fc.weight").clone()
    built, again = adopt(model, images(classes, labels), seed=3), adopt(loaded(tmp_path), images(classes, labels), seed=3)
    assert built.notes == [f"mine.npz has other classes than {name}: its last layer is replaced by a fresh one of {count}"]
    assert (built.num_classes, built.class_names, built.net.num_classes) == (count, classes, count)
    assert not torch.equal(built.net.get_parameter("fc.weight")[:3], before)
    assert equal(built, again)


@pytest.mark.parametrize("arch", ["test_resnet", "test_convnext", "torchvision:mobilenet_v3_small", "densenet121"])
def test_what_is_adopted_is_saved_and_loaded_again_with_its_new_classes(tmp_path, arch):
    built = adopt(loaded(tmp_path / "one", arch), images(("a", "b"), (0, 1)))
    save_network(tmp_path / "two" / "model.safetensors", built.net, built)
    again = oodkit.load_classifier(f"local-dir:{tmp_path / 'two'}")
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(again.net(pixels), built.net.eval()(pixels))
    assert (again.class_names, again.num_classes, again.preprocessing) == (("a", "b"), 2, built.preprocessing)


def test_a_normalised_head_that_is_replaced_stays_normalised(tmp_path):
    built = adopt(loaded(tmp_path, normalised=True), images(("a", "b"), (0, 1)))
    assert (built.normalised, built.head) == (True, ("fc.1",))
    assert isinstance(built.net.get_submodule("fc.0"), Normalise)


def test_shipped_models_are_adopted() -> None:
    built = adopt(oodkit.load_classifier("demo:digits-v1"), oodkit.open_images("demo:digits:train"))
    assert (built.architecture, built.stem, built.notes, built.input_size) == ("timm:test_resnet", "own", [], (3, 32, 32))


def test_networks_that_no_library_builds_are_refused(tiny_model: Classifier) -> None:
    with pytest.raises(UsageError, match=r"^tiny can't be finetuned: neither timm nor torchvision builds its network[^\n]+$"):
        adopt(tiny_model, images(None))


def test_weights_of_another_network_than_the_name_builds_are_refused_before_any_training(tmp_path):
    model = loaded(tmp_path)
    model.about = {**model.about, "architecture": "timm:test_vit"}
    with pytest.raises(UsageError, match=re.escape("can't be finetuned: timm:test_vit builds another network than its weights")):
        adopt(model, images(("cat",), (0,)))
