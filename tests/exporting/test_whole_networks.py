"""A timm folder and a state dict: what is loaded again is the same classifier, and what would not be is refused."""

import json

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from oodkit.classifier import load_classifier
from oodkit.errors import NotApplicableError
from oodkit.exporting.head_file import Making
from oodkit.exporting.state_dict import export_state_dict
from oodkit.exporting.timm_folder import export_timm
from oodkit.head import Head

FED = {"input_size": 48, "mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}
GOOGLENET = {"aux_logits": False, "transform_input": True, "init_weights": False}  # as torchvision sets it with its own weights
MADE = Making("AugDelete", 0.2, "train")


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("test_resnet", FED),
        ("test_vit", {}),
        ("levit_128s", {}),
        ("dla46_c", {"input_size": 64}),
    ],
)
def test_plain_timm_loads_the_folder_to_the_same_logits(trained, on, tmp_path, arch, options):
    model = trained(arch, **options)
    repaired = model.with_head(on.another(model.head))
    export_timm(repaired, tmp_path / "out", "the card")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["README.md", "config.json", "model.safetensors"]
    images = on.images_for(model)
    net = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    on.close(on.logits_of(net, images), on.logits_of(repaired.net, images))
    config = timm.data.resolve_model_data_config(net)  # without use_test_size, as most people call it
    for name in ("input_size", "mean", "std", "crop_pct", "interpolation"):
        assert json.loads(json.dumps(config[name])) == model.preprocessing[name]


def test_oodkit_loads_the_folder_as_the_same_classifier(trained, on, tmp_path):
    model = trained("test_resnet", **FED)
    export_timm(model.with_head(on.another(model.head)), tmp_path / "out", "the card")
    again = load_classifier(f"local-dir:{tmp_path / 'out'}")
    assert again.preprocessing == model.preprocessing
    assert again.class_names == ("cat", "dog", "fox", "hen", "yak")
    assert "license" not in again.about  # timm's own weights of this architecture have one, and these are others


def test_names_for_people_and_names_of_folders_are_both_kept(trained, tmp_path):
    model = trained("test_resnet", input_size=32)
    model.class_names, model.class_ids = ("a cat", "dog", "fox", "hen", "yak"), ("n01", "n02", "n03", "n04", "yak")
    export_timm(model, tmp_path / "out", "the card")
    export_state_dict(model, tmp_path / "state", "the card", Making())
    for name in (f"local-dir:{tmp_path / 'out'}", str(tmp_path / "state/model.safetensors")):
        again = load_classifier(name)
        assert (again.class_names, again.class_ids) == (model.class_names, model.class_ids)


def test_a_refitted_network_is_known_as_one_when_it_is_loaded_again(trained, on, tmp_path):
    """So that nobody is advised to repair it once more."""
    model = trained("test_resnet", **FED)
    refitted = model.with_head(on.another(model.head), method="AugDelete")
    for one, made, folder in ((refitted, MADE, "yes"), (model, Making(), "no"), (model.with_head(model.head), Making(), "another")):
        export_timm(one, tmp_path / f"{folder}-timm", "the card")
        export_state_dict(one, tmp_path / folder, "the card", made)
        for name in (f"local-dir:{tmp_path / folder}-timm", str(tmp_path / folder / "model.safetensors")):
            again = load_classifier(name)
            assert again.refitted == (folder == "yes")
            if again.refitted:  # what a detector or a head of it is held against is the file itself, not what that says
                assert (again.origin.name, again.origin.weights) == (name, again.weights_hash())


def test_the_export_is_exported_again(trained, on, tmp_path):
    model = trained("test_resnet", **FED)
    export_timm(model, tmp_path / "one", "the card")
    export_timm(load_classifier(f"local-dir:{tmp_path / 'one'}"), tmp_path / "two", "the card")
    export_state_dict(load_classifier(f"local-dir:{tmp_path / 'two'}"), tmp_path / "three", "the card", MADE)
    again = load_classifier(str(tmp_path / "three/model.safetensors"))
    assert again.preprocessing == model.preprocessing
    on.close(on.logits_of(again.net, on.images_for(model)), on.logits_of(model.net, on.images_for(model)))


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("torchvision:resnet18", {"input_size": 64}),
        ("torchvision:mobilenet_v2", {"input_size": 65, "mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}),
        ("torchvision:mobilenet_v2", {}),  # resized to 256 before it is cut to 224: 224 / 256 must not lose a pixel
        ("torchvision:googlenet", {"model_args": GOOGLENET, "input_size": 64}),
        ("test_resnet", FED),
    ],
)
def test_a_state_dict_says_what_it_is(trained, on, tmp_path, arch, options):
    model = trained(arch, **options)
    repaired = model.with_head(on.another(model.head))
    export_state_dict(repaired, tmp_path / "out", "the card", MADE)
    path, images = tmp_path / "out/model.safetensors", on.images_for(model)
    for told in ({}, {"arch": arch}):
        again = load_classifier(str(path), **told)
        on.close(on.logits_of(again.net, images), on.logits_of(repaired.net, images))
        assert (again.preprocessing, again.class_names) == (model.preprocessing, model.class_names)
    source = model.weights_hash()
    model.net.load_state_dict(load_file(path))
    on.close(on.logits_of(model.net, images), on.logits_of(repaired.net, images))
    about = json.loads((tmp_path / "out/oodkit.json").read_text())
    assert about["format"] == "oodkit-state-dict-1"
    assert (about["architecture"], about["weights"], about["method"]) == (arch, source, "AugDelete")
    assert about["preprocessing"] == model.preprocessing


NETWORK = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, bias=True):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.top = nn.Linear(3 * 8 * 8, 6), nn.Linear(6, 4, bias=bias)

    def forward(self, pixels):
        return self.top(self.body(pixels.flatten(1)).relu())

def biased():
    return Net()

def unbiased():
    return Net(bias=False)
"""


@pytest.fixture
def own(tmp_path):
    """A network of the user's own, from a function."""
    (tmp_path / "nets.py").write_text(NETWORK)
    return lambda function: load_classifier(f"py:{tmp_path / 'nets.py'}:{function}", input_size=8)


def test_a_network_of_ones_own_gets_its_weights_back(own, on, tmp_path):
    model = own("biased")
    repaired = model.with_head(on.another(model.head))
    export_state_dict(repaired, tmp_path / "out", "the card", MADE)
    again = load_classifier(model.name, checkpoint=tmp_path / "out/model.safetensors", input_size=8)
    on.close(on.logits_of(again.net, on.images_for(model)), on.logits_of(repaired.net, on.images_for(model)))
    with pytest.raises(NotApplicableError, match=r"biased \+ another head is no network of timm's; --as state-dict takes any"):
        export_timm(repaired, tmp_path / "timm", "the card")
    assert not (tmp_path / "timm").exists()


def test_a_layer_that_has_no_bias_by_design_is_refused_one(own, on, tmp_path):
    model = own("unbiased")
    repaired = model.with_head(on.another(model.head))
    on.close(on.logits_of(repaired.net, on.images_for(model)), logits_by_hand(repaired, on.images_for(model)))
    with pytest.raises(NotApplicableError) as error:
        export_state_dict(repaired, tmp_path / "out", "the card", MADE)
    assert str(error.value) == (
        f"{repaired.name} can't be had as a state dict: its layer top has no bias in the architecture, and the head needs one; "
        "--as onnx or --as detector can have it"
    )
    export_state_dict(model, tmp_path / "out", "the card", Making())  # as it was it has none to lose


def logits_by_hand(model, images):
    with torch.no_grad():
        return model.net.body(images.flatten(1)).relu() @ model.head.weight.T + model.head.bias


def test_a_timm_layer_without_bias_is_refused_one(tmp_path, on):
    net = timm.create_model("test_resnet", num_classes=5)
    net.fc = torch.nn.Linear(net.num_features, 5, bias=False)
    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet", num_classes=5).state_dict(), tmp_path / "net.safetensors")
    model = load_classifier(str(tmp_path / "net.safetensors"), arch="test_resnet", input_size=32)
    model.net.fc, model.head = net.fc, without_bias(net.fc)
    with pytest.raises(NotApplicableError, match="a timm folder: its layer fc has no bias in the architecture"):
        export_timm(model.with_head(on.another(model.head)), tmp_path / "out", "the card")


def without_bias(layer):
    return Head(layer.weight, torch.zeros(5), ("fc",), shapes={"fc.weight": tuple(layer.weight.shape)})


def test_what_would_load_as_something_else_is_not_written(trained, tmp_path):
    model = trained("test_resnet", input_size=32)
    model.preprocessing = {**model.preprocessing, "crop_mode": "squash"}  # which a weight file has no word for
    with pytest.raises(NotApplicableError, match="can't be had as a state dict: loaded again it has other preprocessing"):
        export_state_dict(model, tmp_path / "out", "the card", Making())
    assert list(tmp_path.glob("*out*")) == []


def test_a_network_that_no_name_loads_is_refused(tiny_model, tmp_path):
    with pytest.raises(NotApplicableError, match="tiny can't be had as a state dict: it was not made by load_classifier"):
        export_state_dict(tiny_model, tmp_path / "out", "the card", Making())
