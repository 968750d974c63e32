"""Feature maps without their first rank, against torch's own singular value decomposition and networks taken apart by hand."""

import pytest
import torch
from torch import nn

from oodkit.errors import UnsupportedModelError
from oodkit.probes.rankfeat import RankFeatProbe, without_first_rank


def by_svd(maps):
    matrices = maps.flatten(2).double()
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    return (matrices - s[:, :1, None] * u[:, :, :1] @ v[:, :1]).view(maps.shape)


@pytest.mark.parametrize("shape", [(5, 16, 2, 3), (3, 4, 5, 5), (2, 9, 3, 3), (2, 7, 1, 2)])
def test_against_the_singular_value_decomposition(shape):
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(0)).relu()
    torch.testing.assert_close(without_first_rank(maps).double(), by_svd(maps), rtol=1e-4, atol=1e-5)


def test_by_hand():
    """X = (3, 0; 0, 2; 0, 0) as 3 channels of 1 × 2 positions: σ₁ = 3 with u = e₁, v = e₁; what is left is (0, 0; 0, 2; 0, 0)."""
    maps = torch.tensor([[3.0, 0], [0, 2], [0, 0]]).view(1, 3, 1, 2)
    torch.testing.assert_close(without_first_rank(maps).flatten(), torch.tensor([0.0, 0, 0, 2, 0, 0]))


def test_a_map_of_zeros_stays_one():
    assert not without_first_rank(torch.zeros(2, 8, 3, 3)).any()


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_in_half_precision_the_decomposition_is_of_float32(half):
    maps = torch.randn(3, 16, 4, 4, generator=torch.Generator().manual_seed(0)).to(half)
    with torch.autocast("cpu", half):
        found = without_first_rank(maps)
    assert found.dtype == half
    torch.testing.assert_close(found.double(), by_svd(maps.float()), rtol=0.01, atol=0.02)


def by_parts(net, pool, pixels):
    """A ResNet taken apart: stem, layers 1 to 3, then layer 4 on the map itself and on what is left of it."""
    stem = [getattr(net, name) for name in ("conv1", "bn1", "act1", "relu", "maxpool") if hasattr(net, name)]
    third = pixels
    for part in [*stem, net.layer1, net.layer2, net.layer3]:
        third = part(third)
    last = [by_svd(net.layer4(third)).float(), net.layer4(by_svd(third).float())]
    return sum(net.fc(pool(one).flatten(1)) for one in last) / 2


def test_a_resnet_of_timm_taken_apart(classify):
    import timm

    torch.manual_seed(0)
    net = timm.create_model("test_resnet", num_classes=5).eval()
    pixels = torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = by_parts(net, net.global_pool, pixels)
        found = RankFeatProbe().run(classify(net, (3, 96, 96)), pixels)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_a_resnet_of_torchvision_taken_apart_also_inside_a_network_of_ones_own(classify):
    from torchvision.models import resnet18

    torch.manual_seed(0)
    net = resnet18(num_classes=5).eval()
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = by_parts(net, net.avgpool, pixels)
    torch.testing.assert_close(RankFeatProbe().run(classify(net, (3, 64, 64)), pixels), expected, rtol=1e-3, atol=1e-4)
    own = nn.Sequential()
    own.add_module("backbone", net)
    found = RankFeatProbe().run(classify(own, (3, 64, 64), "backbone.fc"), pixels)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["test_convnext", "regnetx_002"])
def test_other_networks_with_stages(name, classify):
    """The hooks are gone afterwards: the network gives its plain logits again."""
    import timm

    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=5).eval()
    pixels = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        plain = net(pixels)
        found = RankFeatProbe().run(classify(net, (3, 96, 96), "head.fc"), pixels)
        assert found.shape == plain.shape
        assert not torch.allclose(found, plain)
        assert torch.equal(net(pixels), plain)


@pytest.mark.parametrize(
    ("name", "size", "layer", "why"),
    [
        ("test_vit", 160, "head", "takes the maps of the last two stages, and this network has no layer3 and layer4"),
        ("test_resnet", 32, "fc", "the last stage gives maps of 1 × 1, of which nothing is left"),
    ],
)
def test_what_it_can_not_serve_it_says(name, size, layer, why, classify):
    import timm

    net = timm.create_model(name, num_classes=5)
    with pytest.raises(UnsupportedModelError, match=why):
        RankFeatProbe().run(classify(net, (3, size, size), layer), torch.randn(1, 3, size, size))


class ChannelsLast(nn.Module):
    """Two stages that hand on (n, H, W, channels), as Swin's do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1, self.layer2, self.fc = nn.Linear(3, 12), nn.Linear(12, 12), nn.Linear(12, 4)

    def forward(self, pixels):
        return self.fc(self.layer2(self.layer1(pixels[:, :, ::4, ::4].permute(0, 2, 3, 1))).mean((1, 2)))


def test_maps_with_channels_last_are_not_mistaken(classify):
    with pytest.raises(UnsupportedModelError, match=r"gives \(2, 4, 4, 12\), expected maps \(n, channels, height, width\)"):
        RankFeatProbe().run(classify(ChannelsLast(), (3, 16, 16)), torch.randn(2, 3, 16, 16))
