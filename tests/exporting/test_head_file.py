"""The head alone: what others need to use it stands in its metadata, and it is put into no other network than its own."""

import json
import subprocess
import sys

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from oodkit.classifier import load_classifier
from oodkit.errors import OutputsError
from oodkit.exporting.head_file import Making, making_of, provenance, read_head_for, save_head
from oodkit.head import Head, load_head
from oodkit.wording import without_folders

PLAIN = """
import sys
import timm
import torch
from safetensors.torch import load_file, save_file

net = timm.create_model("local-dir:source", pretrained=True)
net.load_state_dict(load_file("head.safetensors"), strict=False)

assert "oodkit" not in sys.modules
with torch.no_grad():
    save_file({"logits": net.eval()(torch.ones(1, 3, 32, 32))}, "logits.safetensors")
"""


@pytest.fixture
def source(tmp_path):
    """A timm network with random weights, as timm saves it."""
    torch.manual_seed(0)
    net = timm.create_model("test_resnet", num_classes=5)
    timm.models.save_for_hf(net, str(tmp_path / "source"), safe_serialization=True)
    return load_classifier(f"local-dir:{tmp_path / 'source'}", input_size=32)


def test_three_lines_of_safetensors_and_timm_load_it_without_oodkit(source, on, tmp_path):
    repaired = source.with_head(on.another(source.head))
    save_head(tmp_path / "head.safetensors", repaired)
    subprocess.run([sys.executable, "-c", PLAIN], cwd=tmp_path, check=True)
    on.close(load_file(tmp_path / "logits.safetensors")["logits"], on.logits_of(repaired.net, torch.ones(1, 3, 32, 32)))


def test_the_metadata_names_where_it_comes_from_and_how_it_was_made(source, on, tmp_path):
    made = Making("AugDelete", 0.2, "/home/me/imagenet/train", {"accuracy": [0.8, 0.79]}, {"solver": "sgd", "seed": 3})
    save_head(tmp_path / "head.safetensors", source.with_head(on.another(source.head)), made)
    with safe_open(tmp_path / "head.safetensors", "pt") as file:
        facts = file.metadata()
        assert {name: tuple(file.get_tensor(name).shape) for name in file.keys()} == {"fc.weight": (5, 96), "fc.bias": (5,)}  # noqa: SIM118
    words = {name: facts[name] for name in ("format", "architecture", "source", "weights", "method", "data")}
    assert words == {
        "format": "oodkit-head-2",
        "architecture": "test_resnet",
        "source": "source",  # where it lies on this machine is nobody's business
        "weights": source.weights_hash(),
        "method": "AugDelete",
        "data": "train",
    }
    assert {name: json.loads(facts[name]) for name in ("fraction", "layers", "shared", "metrics", "preprocessing")} == {
        "fraction": 0.2,
        "layers": ["fc"],
        "shared": False,
        "metrics": {"accuracy": [0.8, 0.79]},
        "preprocessing": dict(source.preprocessing),
    }
    assert making_of(facts) == Making("AugDelete", 0.2, "train", {"accuracy": [0.8, 0.79]}, {"solver": "sgd", "seed": 3})


def test_metadata_that_makes_no_sense_is_passed_over():
    assert making_of({"method": "AugDelete", "fraction": "much", "metrics": "[1]", "refit": "3"}) == Making("AugDelete")
    assert making_of({"metrics": "[" * 100_000}) == Making()


def test_a_head_goes_into_no_other_weights_than_those_it_was_made_of(trained, on, tmp_path):
    model = trained("test_resnet", input_size=32)
    save_head(tmp_path / "head.safetensors", model.with_head(on.another(model.head)))
    head, _ = read_head_for(tmp_path / "head.safetensors", model)
    repaired = model.with_head(head)
    assert read_head_for(tmp_path / "head.safetensors", repaired)[0].num_classes == 5  # its source is the same
    with torch.no_grad():
        model.net.conv1[0].weight.add_(1)
    with pytest.raises(OutputsError) as error:
        read_head_for(tmp_path / "head.safetensors", model)
    assert str(error.value).startswith(f"{tmp_path / 'head.safetensors'} was made of test_resnet.safetensors with the weights ")
    assert str(error.value).endswith("…; give the network that it was made of")


def test_a_layer_without_bias_refuses_the_file_instead_of_passing_over_the_bias(tmp_path):
    """load_state_dict(strict=False) drops what it does not know, and the logits would be wrong without a word."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 3, bias=False))
    head = Head(torch.ones(3, 4), torch.arange(3.0), ("0",))
    head.save(tmp_path / "head.safetensors", net=net)
    with pytest.raises(RuntimeError, match=r"size mismatch for 0\.weight"):
        net.load_state_dict(load_file(tmp_path / "head.safetensors"), strict=False)
    again = Head.load(tmp_path / "head.safetensors")
    again.apply_to(net)
    assert net(torch.ones(1, 4)).tolist() == [[4.0, 5.0, 6.0]]
    assert "0.bias" not in again.shapes


def test_a_head_without_a_bias_fits_a_layer_without_one(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(4, 3, bias=False))
    Head(torch.ones(3, 4), torch.zeros(3), ("0",)).save(tmp_path / "head.safetensors", net=net)
    assert net.load_state_dict(load_file(tmp_path / "head.safetensors"), strict=False).unexpected_keys == []
    assert net(torch.ones(1, 4)).tolist() == [[4.0, 4.0, 4.0]]


def test_the_source_stays_the_source_however_often_the_head_is_replaced(trained, on):
    model = trained("test_resnet", input_size=32)
    told = provenance(model.with_head(on.another(model.head), method="AugDelete").with_head(model.head))
    assert (told["source"], told["weights"], told.get("method")) == ("test_resnet.safetensors", model.weights_hash(), None)


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("resnet50.tv2_in1k", "resnet50.tv2_in1k"),
        ("torchvision:resnet50/IMAGENET1K_V2", "torchvision:resnet50/IMAGENET1K_V2"),
        ("hf:owner/set/config:train", "hf:owner/set/config:train"),
        ("hf:./private/set", "set"),
        ("local-dir:/home/me/net", "net"),
        ("py:/home/me/nets.py:resnet20", "nets.py:resnet20"),
        (r"C:\me\net.safetensors", "net.safetensors"),
        ("/data/train/", "train"),
    ],
)
def test_paths_are_cut_to_their_last_part(name, cut):
    assert without_folders(name) == cut


@pytest.mark.parametrize("change", [b"fc.weight", b"oodkit-head-2", b"AugDelete"])
def test_a_changed_byte_is_found(source, tmp_path, change):
    path = tmp_path / "head.safetensors"
    save_head(path, source, Making("AugDelete"))
    path.write_bytes(path.read_bytes().replace(change, change[:-1] + b"X"))
    with pytest.raises(OutputsError) as error:
        load_head(path)
    assert "\n" not in str(error.value)


def test_a_head_of_others_without_a_checksum_is_read(tmp_path):
    facts = {"format": "oodkit-head-2", "layers": '["fc"]'}
    save_file({"fc.weight": torch.ones(2, 3), "fc.bias": torch.ones(2)}, tmp_path / "head.safetensors", facts)
    head = Head.load(tmp_path / "head.safetensors")
    assert (head.layers, head.shared, head.num_features) == (("fc",), False, 3)
