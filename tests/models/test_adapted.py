"""The two changes that a file may name: what a small stem is of each kind of network, and what has none."""

import re

import pytest
import timm
import torch
import torchvision
from torch import nn

from oodkit.errors import CheckpointError, UsageError
from oodkit.models.adapted import adapt, has_stem, normalised_head, small_stem

OPENOOD = 11_173_962  # parameters of ResNet18_32x32 with 10 classes, Jingkang50/OpenOOD, openood/networks/resnet18_32x32.py


def made(name: str) -> nn.Module:
    library, _, arch = name.rpartition(":")
    return torchvision.models.get_model(arch, num_classes=10) if library else timm.create_model(arch, num_classes=10)


def map_of(net: nn.Module, layer: str, side: int = 32) -> tuple[int, ...]:
    """The shape of what a layer makes of one image."""
    found = []
    handle = net.get_submodule(layer).register_forward_hook(lambda _, __, output: found.append(tuple(output.shape)))
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, side, side))
    handle.remove()
    return found[0]


def openood_shapes() -> dict[str, tuple[int, ...]]:
    """Those of its parameters, with what it calls ``shortcut`` named ``downsample``."""

    def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (width,), f"{name}.bias": (width,)}

    found = {"conv1.weight": (64, 3, 3, 3), **norm("bn1", 64), "fc.weight": (10, 512), "fc.bias": (10,)}
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in (0, 1):
            here, reads = f"layer{stage}.{block}", width // 2 if stage > 1 and not block else width
            found |= {f"{here}.conv1.weight": (width, reads, 3, 3), f"{here}.conv2.weight": (width, width, 3, 3)}
            found |= {**norm(f"{here}.bn1", width), **norm(f"{here}.bn2", width)}
            if reads != width:
                found |= {f"{here}.downsample.0.weight": (width, reads, 1, 1), **norm(f"{here}.downsample.1", width)}
    return found


@pytest.mark.parametrize("name", ["resnet18", "torchvision:resnet18"])
def test_resnet18_with_a_small_stem_is_openoods(name: str) -> None:
    """By hand: 11,181,642 − 64·3·7·7 + 64·3·3·3; 32 pixels are halved three times, to 4."""
    net = made(name)
    small_stem(net)
    assert sum(one.numel() for one in net.parameters()) == 11_181_642 - 9_408 + 1_728 == OPENOOD
    assert tuple(net.get_parameter("conv1.weight").shape) == (64, 3, 3, 3)
    assert {name: tuple(one.shape) for name, one in net.named_parameters()} == openood_shapes()
    assert map_of(net, "conv1") == (1, 64, 32, 32)
    assert map_of(net, "layer1") == (1, 64, 32, 32)
    assert map_of(net, "layer4") == (1, 512, 4, 4)


@pytest.mark.parametrize(
    ("name", "layer", "before", "after"),
    [
        ("torchvision:resnet50", "layer4", 1, 4),
        ("test_resnet", "layer4", 1, 4),  # a deep stem of three convolutions
        ("resnet18d", "layer4", 1, 4),
        ("seresnet50", "layer4", 1, 4),
        ("resnetblur18", "layer4", 1, 4),  # its max-pool is a pair with an anti-aliasing filter
        ("densenet121", "features.denseblock4", 1, 4),
        ("torchvision:densenet121", "features.denseblock4", 1, 4),
        ("regnety_002", "s4", 1, 2),  # a stem with a stride and no max-pool
        ("torchvision:regnet_y_400mf", "trunk_output", 1, 2),
        ("mobilenetv3_small_050", "blocks", 1, 2),
        ("torchvision:mobilenet_v3_small", "features", 1, 2),
    ],
)
def test_a_small_stem_keeps_the_resolution(name: str, layer: str, before: int, after: int) -> None:
    net = made(name)
    assert map_of(net, layer)[2:] == (before, before)
    assert has_stem(net)
    small_stem(net)
    assert map_of(net, layer)[2:] == (after, after)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("test_vit", "no stem to make small: patch_embed.proj cuts images into patches of 16 pixels"),
        ("test_convnext", "no stem to make small: stem.0 cuts images into patches of 4 pixels"),
        ("dla46_c", "no stem to make small: its first convolution base_layer.0 has stride 1 already"),
        ("repvgg_a0", "a stem that can't be made small: several convolutions read the image"),
    ],
)
def test_networks_without_such_a_stem_say_why_in_one_line(name: str, why: str) -> None:
    net = made(name)
    before = {key: one.clone() for key, one in net.state_dict().items()}
    with pytest.raises(UsageError, match=rf"^\w+ has {re.escape(why)}; leave its stem as it is \(--stem own\)[^\n]+$"):
        small_stem(net)
    assert not has_stem(net)
    assert all(torch.equal(one, before[key]) for key, one in net.state_dict().items())


def test_a_small_stem_is_drawn_as_resnets_draw_theirs() -> None:
    """Kaiming's normal distribution: variance 2 / (9 · 64), of 1,728 weights within 15 %."""
    torch.manual_seed(0)
    net = made("resnet18")
    small_stem(net)
    assert net.get_parameter("conv1.weight").var().item() == pytest.approx(2 / (9 * 64), rel=0.15)


def test_a_normalised_head_reads_directions_alone() -> None:
    net = nn.Sequential(nn.Identity(), nn.Linear(4, 3))
    layer = net[1]
    assert normalised_head(net, "1") is layer
    assert net.get_submodule("1.1") is layer
    features = torch.tensor([[3.0, 0.0, 4.0, 0.0]])
    expected = torch.tensor([[0.6, 0.0, 0.8, 0.0]]) @ layer.weight.T + layer.bias
    torch.testing.assert_close(net(features), expected)
    torch.testing.assert_close(net(7 * features), expected)


def test_a_normalised_head_is_made_of_a_linear_layer() -> None:
    with pytest.raises(UsageError, match="a normalised head is made of a linear layer, and 0 is a ReLU"):
        normalised_head(nn.Sequential(nn.ReLU()), "0")


def test_what_a_file_says_of_a_change_must_be_so() -> None:
    net = made("test_vit")
    with pytest.raises(CheckpointError, match="says that its stem is small, but VisionTransformer has no stem"):
        adapt(net, net.state_dict(), "small", None)
    with pytest.raises(CheckpointError, match="says that its head is normalised, but 0 of its layers are; expected one"):
        adapt(net, net.state_dict(), None, "normalised")
