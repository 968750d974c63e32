"""BigGAN-deep makes what the published package makes of the same weights."""

import json

import pytest
import torch
from safetensors.torch import save_file

from oodkit.errors import UsageError
from oodkit.synth.biggan import BigGAN, Statistics, load_biggan
from oodkit.synth.biggan_weights import LAYERS, Sizes

from .biggan_oracle import FAULTY, noise, one_hot, published

LABELS = torch.tensor([0, 999])


def made_by_both(tmp_path, blocks, width, truncations, count=2):
    """For each truncation the largest difference between both images, which are in [−1, 1]."""
    torch.save(published(blocks, width).state_dict(), tmp_path / "weights.bin")
    net, labels = load_biggan(tmp_path / "weights.bin"), LABELS[:count]
    for truncation in truncations:
        z = truncation * noise(count)
        theirs, own = published(blocks, width)(z, one_hot(labels), truncation), net(z, labels, truncation=truncation)
        side = {10: 128, 12: 256, 14: 512}[blocks]
        assert own.shape == (count, 3, side, side)
        assert theirs.std() > 0.01
        yield (own - theirs).abs().max().item()


def test_every_truncation_gives_the_published_images(tmp_path):
    """At five truncations the package's rounding takes the neighbour's statistics; those are left out."""
    truncations = [step / 50 for step in range(1, 51) if step not in FAULTY]
    assert max(made_by_both(tmp_path, 10, 8, truncations, count=1)) < 1e-4


@pytest.mark.parametrize("blocks", [12, 14])
def test_larger_images_are_the_published_ones(tmp_path, blocks):
    assert max(made_by_both(tmp_path, blocks, 8, (0.02, 0.4, 1.0), count=1)) < 1e-4


def test_biggan_128_at_its_full_width_gives_the_published_images(tmp_path):
    assert max(made_by_both(tmp_path, 10, 128, (0.4,), count=1)) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [12, 14])
def test_larger_networks_at_their_full_width_give_the_published_images(tmp_path, blocks):
    assert max(made_by_both(tmp_path, blocks, 128, (0.02, 0.4, 1.0), count=1)) < 1e-4


@pytest.mark.parametrize(("blocks", "keys", "parameters"), [(10, 506, 50388609), (12, 602, 55880833), (14, 698, 56163905)])
def test_published_key_names_and_parameter_counts(blocks, keys, parameters):
    """Every published key is one of the network's own, or belongs to the spectral norm of one."""
    with torch.device("meta"):
        own = BigGAN(Sizes(layers=LAYERS[blocks]))
    assert sum(parameter.numel() for parameter in own.parameters()) == parameters
    theirs = set(published(blocks).state_dict())
    assert len(theirs) == keys
    assert {name.removesuffix("_orig") for name in theirs if not name.endswith(("_u", "_v"))} == set(own.state_dict())


@pytest.mark.parametrize("blocks", [10, 12])
def test_a_folder_with_config_json_is_read_as_the_package_reads_it(tmp_path, blocks):
    """Its output_dim is 128 also beside the layers of 256: the package leaves it unread."""
    (tmp_path / "config.json").write_text(published(blocks).config.to_json_string())
    torch.save(published(blocks).state_dict(), tmp_path / "pytorch_model.bin")
    z = 0.4 * noise(2)
    assert torch.allclose(load_biggan(tmp_path)(z, LABELS), published(blocks)(z, one_hot(LABELS), 0.4), atol=1e-4)


def test_layers_of_config_json_count(tmp_path):
    """A network that no published one is like: 32 pixels."""
    layers = ((True, 16, 8), (False, 8, 8), (True, 8, 4), (True, 4, 2), (False, 2, 1))
    torch.manual_seed(0)
    net = BigGAN(Sizes(channel_width=8, num_classes=5, layers=layers, attention_layer_position=2)).eval()
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    config = {"layers": layers, "attention_layer_position": 2, "output_dim": 32, "channel_width": 8, "num_classes": 5}
    (tmp_path / "config.json").write_text(json.dumps(config))
    images = load_biggan(tmp_path)(noise(1), torch.tensor([4]))
    assert images.shape == (1, 3, 32, 32)
    assert torch.equal(images, net(noise(1), torch.tensor([4])))


def test_weights_that_are_stored_without_spectral_norm_give_the_same_images(tmp_path):
    torch.save(published(10).state_dict(), tmp_path / "weights.bin")
    net = load_biggan(tmp_path / "weights.bin")
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    again = load_biggan(tmp_path / "model.safetensors")
    assert torch.equal(net(noise(1), LABELS[:1]), again(noise(1), LABELS[:1]))
    assert not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_shares_of_classes_are_taken_too(tmp_path):
    torch.manual_seed(0)
    net = BigGAN(Sizes(channel_width=8)).eval()
    assert torch.allclose(net(noise(2), LABELS), net(noise(2), one_hot(LABELS)), atol=1e-5)


def test_statistics_are_those_of_the_truncation():
    """Row k belongs to truncation k/50, at each of the 51, also where k/50 · 50 is not k in floating point; halfway is the mean."""
    statistics = Statistics(1, Sizes(eps=0.5))
    statistics.running_means[:, 0] = torch.arange(51.0)
    statistics.running_vars[:, 0] = torch.arange(51.0) + 0.5
    for row in range(51):
        mean, inverse = statistics.at(row / 50)
        assert mean.item() == pytest.approx(row, abs=1e-4)
        assert inverse.item() == pytest.approx((row + 1) ** -0.5, abs=1e-5)
    assert statistics.at(0.41)[0].item() == pytest.approx(20.5)


def test_wrong_shapes_and_truncations_are_told_in_a_line():
    net = BigGAN(Sizes(channel_width=8))
    for z, labels, truncation, text in (
        (noise(2), LABELS, 0.0, "a truncation of 0.0, expected above 0 and at most 1"),
        (noise(2), LABELS, float("nan"), "a truncation of nan, expected above 0 and at most 1"),
        (noise(2)[:, :100], LABELS, 0.4, r"noise of shape \(2, 100\), expected \(images, 128\)"),
        (noise(2), LABELS[:1], 0.4, r"labels of shape \(1,\) for noise of 2 images, expected \(2,\)"),
    ):
        with pytest.raises(UsageError, match=text):
            net(z, labels, truncation)
