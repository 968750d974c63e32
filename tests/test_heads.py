from dataclasses import replace

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from oodkit.errors import UnsupportedModelError
from oodkit.head import Head
from oodkit.heads import features_and_logits, find_head

SMALL = (3, 32, 32)

SINGLE = {
    "test_resnet": ("fc",),
    "test_vit": ("head",),
    "test_efficientnet": ("classifier",),
    "test_convnext": ("head.fc",),
    "test_byobnet": ("head.fc",),
    "test_nfnet": ("head.fc",),
    "test_maxvit": ("head.fc",),
    "caformer_s18": ("head.fc.fc2",),
    "resnetv2_50x1_bit": ("head.fc",),
    "dpn48b": ("classifier",),
}
AVERAGED = {
    "deit_tiny_distilled_patch16_224": ("head", "head_dist"),
    "crossvit_tiny_240": ("head.0", "head.1"),
    "levit_128s": ("head.linear", "head_dist.linear"),
    "efficientvim_m1": ("heads.0", "heads.1", "heads.2", "heads.3"),
}
SHARED = {"efficientformer_l1": ("head", "head_dist")}
TORCHVISION = {"shufflenet_v2_x0_5": ("fc",), "mobilenet_v3_small": ("classifier.3",), "densenet121": ("classifier",)}


def untrained(net: nn.Module) -> nn.Module:
    """The network with random biases: where they are zero, a wrong head could pass for the right one."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in net.named_parameters():
        if name.endswith("bias") or not parameter.any():
            nn.init.normal_(parameter, 0, 0.1, generator=generator)
    return net.eval()


def timm_net(name: str) -> tuple[nn.Module, tuple[int, int, int]]:
    if not timm.is_model(name):
        pytest.skip(f"timm {timm.__version__} has no {name}")
    net = untrained(timm.create_model(name))
    return net, net.pretrained_cfg["input_size"]


def random_head(like: Head) -> Head:
    generator = torch.Generator().manual_seed(2)
    weight, bias = torch.randn(like.weight.shape, generator=generator), torch.randn(like.bias.shape, generator=generator)
    return replace(like, weight=weight, bias=bias)


def assert_head_rules(net: nn.Module, head: Head, size: tuple[int, int, int]) -> None:
    """The head makes the network's logits on images it has not seen, and so does another head once it is written back."""
    images = torch.randn(3, *size, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        features, logits = features_and_logits(net, head, images)
        torch.testing.assert_close(head(features), logits, rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
        other = random_head(head)
        other.apply_to(net)
        again, changed = features_and_logits(net, other, images)
    torch.testing.assert_close(again, features)
    torch.testing.assert_close(other(features), changed, rtol=1e-4, atol=1e-4 * float(changed.abs().max()))
    torch.testing.assert_close(net(images), changed)


@pytest.mark.parametrize("name", [*SINGLE, *AVERAGED, *SHARED])
def test_a_timm_networks_head_is_found_proven_and_replaceable(name: str) -> None:
    net, size = timm_net(name)
    head = find_head(net, size, 1000)
    assert head.layers == {**SINGLE, **AVERAGED, **SHARED}[name]
    assert head.shared == (name in SHARED)
    assert head.num_classes == 1000
    assert_head_rules(net, head, size)


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_torchvision_networks_head_is_found_proven_and_replaceable(name: str) -> None:
    net = untrained(torchvision.models.get_model(name, weights=None))
    head = find_head(net, (3, 64, 64))
    assert head.layers == TORCHVISION[name]
    assert_head_rules(net, head, (3, 64, 64))


@pytest.mark.parametrize("num_classes", [2, 8, 10, 64])
def test_inner_layers_with_as_many_outputs_as_classes_are_not_mistaken_for_the_head(num_classes: int) -> None:
    """test_efficientnet and test_vit have squeeze layers and projections of 8 and 64 channels."""
    for name, layer in {"test_efficientnet": "classifier", "test_vit": "head"}.items():
        net = untrained(timm.create_model(name, num_classes=num_classes))
        assert find_head(net, net.pretrained_cfg["input_size"]).layers == (layer,)


class Pooled(nn.Module):
    """A 1×1 convolution, whose map is averaged to logits: linear unless something lies between."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.body, self.score, self.between = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 5, 1), between

    def forward(self, images: Tensor) -> Tensor:
        return self.between(self.score(self.body(images))).mean((2, 3))


def test_a_convolution_whose_map_is_averaged_is_a_head_of_the_average_feature() -> None:
    """mean(W·x + b) = W·mean(x) + b."""
    net = untrained(Pooled(nn.Identity()))
    head = find_head(net, SMALL)
    assert head.layers == ("score",)
    assert_head_rules(net, head, SMALL)


def test_a_relu_before_the_pooling_is_refused() -> None:
    with pytest.raises(
        UnsupportedModelError, match="score scores each of 900 positions, and the logits are not the mean of those scores"
    ):
        find_head(untrained(Pooled(nn.ReLU())), SMALL)


def test_squeezenet_is_refused_with_the_reason() -> None:
    net = untrained(torchvision.models.get_model("squeezenet1_1", weights=None))
    with pytest.raises(UnsupportedModelError, match=r"classifier\.1 scores each of 9 positions.*something non-linear lies between"):
        find_head(net, (3, 64, 64))


def test_volo_is_refused_with_the_reason() -> None:
    """logits = head(cls) + ½ max over patches of aux_head, which no feature makes linearly."""
    net, size = timm_net("volo_d1_224")
    with pytest.raises(UnsupportedModelError, match="head and aux_head make 1000 outputs each, but the logits are neither"):
        find_head(net, size)


class Flat(nn.Module):
    """Logits from flattened pixels through ``score``, then ``end``."""

    def __init__(self, score: nn.Module, end: nn.Module | None = None) -> None:
        super().__init__()
        self.score, self.end = score, end or nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.end(self.score(images.flatten(1)))


class Cosine(nn.Linear):
    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.linear(nn.functional.normalize(features), nn.functional.normalize(self.weight))


class Tupled(nn.Module):
    def forward(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        return logits, logits


class Damaged(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return logits / 0


WIDE = 3 * 32 * 32


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (nn.Sequential(nn.Conv2d(3, 7, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "no linear layer makes the network's 7 outputs"),
        (Flat(nn.Linear(WIDE, 5), nn.Sigmoid()), "score makes 5 outputs, but the logits are not W·x"),
        (Flat(nn.Linear(WIDE, 5), nn.Softmax(1)), "returns the softmax of what score makes; take that off, so"),
        (Flat(nn.Linear(WIDE, 5), nn.LogSoftmax(1)), "returns the log-softmax of what score makes; take that off, so"),
        (Flat(Cosine(WIDE, 5)), "score makes 5 outputs, but the logits are not W·x"),
        (Flat(nn.Linear(WIDE, 5), Tupled()), r"the network returns a tuple for images \(2, 3, 32, 32\), expected logits \(2, C\)"),
        (nn.Conv2d(3, 21, 1), r"the network returns \(2, 21, 32, 32\) for images"),
        (Flat(nn.Linear(7, 5)), r"can't process images \(2, 3, 32, 32\): .*is the input size right"),
        (Flat(nn.Linear(WIDE, 1)), "returns 1 logits, expected at least 2"),
        (Flat(nn.Linear(WIDE, 5), Damaged()), "logits are not finite on random images"),
    ],
)
def test_what_has_no_linear_head_is_refused_in_words(net: nn.Module, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        find_head(untrained(net), SMALL)


class Cancelling(nn.Module):
    """Two heads whose outputs of some 10,000 cancel to logits of some units, as after a refit; then ``end``."""

    def __init__(self, end: nn.Module | None = None, heads: int = 2) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(768, 5), nn.Linear(768, 5)
        self.end, self.heads = end or nn.Identity(), heads
        for layer, sign in ((self.one, 1), (self.other, -1)):
            nn.init.normal_(layer.weight, 0, 500, generator=torch.Generator().manual_seed(4))
            nn.init.constant_(layer.bias, 0.1)
            layer.weight.data *= sign

    def forward(self, images: Tensor) -> Tensor:
        features = images.flatten(1)[:, :768]
        odd = features + 1e-3 * images.flatten(1)[:, 768:1536]
        return self.end(torch.stack([self.one(features), self.other(odd)]).sum(0) / self.heads)


def test_a_refitted_head_is_found_where_large_outputs_cancel() -> None:
    assert find_head(Cancelling(), SMALL).layers == ("one", "other")


class Scaled(nn.Module):
    def forward(self, logits: Tensor) -> Tensor:
        return 1.1 * logits


@pytest.mark.parametrize("net", [Cancelling(nn.ReLU()), Cancelling(nn.Tanh()), Cancelling(Scaled()), Cancelling(heads=1)])
def test_a_wrong_head_is_refused_where_large_outputs_cancel_too(net: nn.Module) -> None:
    with pytest.raises(UnsupportedModelError, match="neither one of these nor their mean"):
        find_head(net, SMALL)


def test_a_head_of_another_size_than_promised_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="returns 5 logits, expected 10"):
        find_head(untrained(Flat(nn.Linear(WIDE, 5))), SMALL, num_classes=10)


def test_an_untrained_head_of_zeros_is_refused_since_anything_would_match() -> None:
    net = Flat(nn.Linear(WIDE, 5))
    nn.init.zeros_(net.score.weight)
    nn.init.zeros_(net.score.bias)
    with pytest.raises(UnsupportedModelError, match="logits are 0 throughout"):
        find_head(net, SMALL)


def test_a_head_without_bias_gets_zeros_and_a_bias_when_one_is_written_back() -> None:
    net = untrained(Flat(nn.Linear(WIDE, 5, bias=False)))
    head = find_head(net, SMALL)
    assert not head.bias.any()
    assert_head_rules(net, head, SMALL)


def test_a_found_head_does_not_change_with_the_network() -> None:
    net = untrained(Flat(nn.Linear(WIDE, 5)))
    head = find_head(net, SMALL)
    before = head.weight.clone()
    random_head(head).apply_to(net)
    torch.testing.assert_close(head.weight, before)


def test_no_hooks_stay_behind_even_after_an_error() -> None:
    net = untrained(Flat(nn.Linear(WIDE, 5)))
    head = find_head(net, SMALL)
    features_and_logits(net, head, torch.zeros(1, *SMALL))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        features_and_logits(net, head, torch.zeros(1, 3, 8, 8))
    assert all(not module._forward_pre_hooks and not module._forward_hooks for module in net.modules())


@pytest.mark.parametrize("name", ["test_resnet", "levit_128s"])
def test_features_come_in_autocasts_precision_and_in_channels_last(name: str) -> None:
    net, size = timm_net(name)
    head = find_head(net, size)
    images = torch.randn(2, *size, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        features, logits = features_and_logits(net, head, images)
        net = net.to(memory_format=torch.channels_last)
        last, _ = features_and_logits(net, head, images.contiguous(memory_format=torch.channels_last))
        with torch.autocast("cpu", torch.bfloat16):
            half, rough = features_and_logits(net, head, images)
    torch.testing.assert_close(last, features, rtol=1e-3, atol=1e-4)
    assert half.shape == features.shape
    torch.testing.assert_close(half.float(), features, rtol=0.1, atol=0.1 * float(features.abs().max()))
    torch.testing.assert_close(rough.float(), logits, rtol=0.1, atol=0.1 * float(logits.abs().max()))


def test_features_carry_gradients_where_the_caller_wants_them() -> None:
    net = untrained(Flat(nn.Linear(WIDE, 5)))
    images = torch.randn(2, *SMALL, requires_grad=True)
    features, _ = features_and_logits(net, find_head(net, SMALL), images)
    features.sum().backward()
    assert images.grad is not None
