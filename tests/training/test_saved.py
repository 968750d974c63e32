"""What is saved is loaded again by its path alone: equal logits, equal images, and all that was said of it."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import oodkit
from oodkit.classifier import Classifier
from oodkit.errors import CheckpointError, ModelNotFoundError, UsageError
from oodkit.images import open_images
from oodkit.models.adapted import Normalise, normalised_head
from oodkit.recipe_facts import recipe_of
from oodkit.training.folder import MODEL
from oodkit.training.networks import Built, build
from oodkit.training.saved import save_network

RECIPE = {"loss": "ce", "label_smoothing": 0.1, "mixup": 0, "cutmix": 0, "name": "label-smoothing:smoothing=0.1"}
NAMES = ("cat", "dog", "fox")


def saved(folder: Path, arch: str = "test_resnet", *, more: dict[str, str] | None = None, **how: object) -> Built:
    built = build(arch, **{"num_classes": 3, "input_size": 32, **how})
    if (more or {}).get("head"):
        normalised_head(built.net, built.head[0])
    built.class_names = NAMES
    save_network(folder / MODEL, built.net, built, recipe=RECIPE, more=more)
    return built


def loaded(folder: Path) -> Classifier:
    return oodkit.load_classifier(f"local-dir:{folder}")


GREY = {"input_size": (1, 32, 32), "mean": (0.5,), "std": (0.25,)}


@pytest.mark.parametrize(
    ("arch", "how"),
    [
        ("test_resnet", {}),
        ("test_resnet", {"stem": "own", "input_size": 160}),
        ("test_resnet", {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}),
        ("test_resnet", GREY),
        ("test_vit", {}),
        ("test_vit", {"input_size": 224, "model_args": {"depth": 2}}),
        ("test_vit", GREY),
        ("test_efficientnet", {}),
        ("resnet18", {}),
        ("torchvision:resnet18", {}),
        ("torchvision:resnet18", {"input_size": 224, "model_args": {"zero_init_residual": True}}),
        ("densenet121", {}),
        ("torchvision:densenet121", {}),
        ("torchvision:regnet_y_400mf", {}),
        ("torchvision:googlenet", {"input_size": 64}),
        ("mobilenetv3_small_050", {"more": {"head": "normalised"}}),
        ("test_resnet", {"more": {"head": "normalised"}}),
        ("torchvision:mobilenet_v3_small", {"more": {"head": "normalised"}}),
    ],
)
def test_a_saved_network_is_loaded_with_equal_logits_and_fed_alike(tmp_path, arch, how):
    built = saved(tmp_path, arch, **how)
    pixels = torch.randn(2, *built.input_size, generator=torch.Generator().manual_seed(0))
    image = open_images("demo:digits").load(0)
    for name in (f"local-dir:{tmp_path}", str(tmp_path / MODEL)):
        model = oodkit.load_classifier(name)
        with torch.no_grad():
            assert torch.equal(model.net(pixels), built.net.eval()(pixels))
        assert torch.equal(model.transform(image), built.transform(image))
        assert (model.name, model.preprocessing, model.input_size) == (name, built.preprocessing, built.input_size)
        assert model.head.num_features == built.num_features
        assert (model.about["architecture"], model.about.get("stem", "own")) == (built.architecture, built.stem)


def test_the_head_is_the_layer_that_was_told_and_with_a_normalised_one_the_layer_in_it(tmp_path):
    built = saved(tmp_path / "plain")
    assert loaded(tmp_path / "plain").head.layers == built.head == ("fc",)
    saved(tmp_path / "normalised", more={"head": "normalised"})
    assert loaded(tmp_path / "normalised").head.layers == ("fc.1",)


def test_classes_recipe_and_note_are_told(tmp_path):
    saved(tmp_path, more={"note": "a logit is a log-odds"})
    model = loaded(tmp_path)
    assert model.class_names == model.class_ids == NAMES
    assert model.about["note"] == "a logit is a log-odds"
    recipe = recipe_of(model.name, model.about["recipe"])
    assert str(recipe) == "cross-entropy, label smoothing 0.1 (stated: recipe label-smoothing:smoothing=0.1 of oodkit)"
    assert not model.refitted


def test_a_refitted_last_layer_is_told(tmp_path):
    built = build("test_resnet", num_classes=3, input_size=32)
    built.class_names, built.class_ids = NAMES, ("n1", "n2", "n3")
    save_network(tmp_path / MODEL, built.net, built, refitted=True)
    model = loaded(tmp_path)
    assert (model.refitted, model.class_ids) == (True, ("n1", "n2", "n3"))


def test_another_head_has_not_the_note_of_the_first(tmp_path):
    saved(tmp_path, more={"note": "a logit is a log-odds", "head": "normalised"})
    model = loaded(tmp_path)
    assert dict(model.with_head(model.head).about).keys() == model.about.keys() - {"note"}


def test_one_network_has_one_fingerprint_whatever_else_is_imported(tmp_path, monkeypatch):
    """It is of the layer's own file, which is the same in every command."""
    saved(tmp_path, more={"head": "normalised"})
    first, again = loaded(tmp_path), loaded(tmp_path)
    expected = first.fingerprint()
    for name in [name for name in sys.modules if name.startswith("oodkit.models.") and name != Normalise.__module__]:
        monkeypatch.delitem(sys.modules, name)
    assert again.fingerprint() == expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("stem", "tiny", "'small'"),
        ("stem", "", "'small'"),
        ("stem", '["small"]', "'small'"),
        ("head", "cosine", "'normalised'"),
        ("note", "", "a text of at most 500 characters"),
        ("note", "x" * 501, "a text of at most 500 characters"),
        ("recipe", '{"name": 3}', "an object in which loss and name are words"),
        ("recipe", '{"name": ["v1"]}', "an object in which loss and name are words"),
    ],
)
def test_hostile_metadata_are_one_line(tmp_path, key, value, expected):
    rewritten(tmp_path, **{key: value})
    with pytest.raises(CheckpointError, match=rf"^the metadata of [^\n]+ has {key}=[^\n]+, expected {expected}") as caught:
        loaded(tmp_path)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"architecture": "timm:test_vit", "stem": "small"}, "says that its stem is small, but VisionTransformer has no stem"),
        ({"head": "normalised"}, "says that its head is normalised, but 0 of its layers are; expected one"),
        ({"stem": None}, r"does not fit timm:test_resnet|matches"),
        ({"architecture": "timm:resnet18"}, "the checkpoint does not fit timm:resnet18"),
    ],
)
def test_metadata_of_another_network_are_told(tmp_path, said, problem):
    rewritten(tmp_path, **said)
    if said == {"stem": None}:  # a deep stem of 3×3 convolutions has the same weights with either stride
        assert loaded(tmp_path).net.get_submodule("conv1.0").stride == (2, 2)
    else:
        with pytest.raises(CheckpointError, match=problem):
            loaded(tmp_path)


def rewritten(folder: Path, **said: str | None) -> None:
    """A saved network whose file says something else."""
    saved(folder)
    with safe_open(folder / MODEL, "pt") as file:
        facts = {**file.metadata(), **said}
    save_file(load_file(folder / MODEL), folder / MODEL, {key: value for key, value in facts.items() if value is not None})


def test_a_folder_without_weights_is_told_with_the_way_out(tmp_path):
    (tmp_path / "training.json").write_text("{}")
    with pytest.raises(
        ModelNotFoundError, match=r"expected config\.json[^\n]+ or model\.safetensors, and neither is there; give the"
    ):
        loaded(tmp_path)
    built = saved(tmp_path / "other")
    save_network(tmp_path / "best.safetensors", built.net, built)
    with pytest.raises(ModelNotFoundError, match=r"load [^\n]+best\.safetensors, the best so far$"):
        loaded(tmp_path)
    assert oodkit.load_classifier(str(tmp_path / "best.safetensors")).num_classes == 3


def test_a_folder_says_its_architecture_itself(tmp_path):
    saved(tmp_path)
    with pytest.raises(UsageError, match=r"local-dir:[^\n]+ takes no --arch"):
        oodkit.load_classifier(f"local-dir:{tmp_path}", arch="resnet18")
