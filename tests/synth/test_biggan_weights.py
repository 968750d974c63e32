"""A file that holds no BigGAN-deep, or half of one, is told in one line."""

import json

import pytest
import torch

from oodkit.errors import CheckpointError, ModelNotFoundError
from oodkit.synth.biggan import load_biggan

from .biggan_oracle import published, tensors


def refused(tmp_path, change=None, config=None, kind=CheckpointError):
    """The line that a changed state dict or config.json gives."""
    state = tensors(published(10))
    if change:
        change(state)
    torch.save(state, tmp_path / "pytorch_model.bin")
    if config is not None:
        (tmp_path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(kind) as caught:
        load_biggan(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_key_is_needed(tmp_path):
    """A key of each kind, left out."""
    for key in (
        "embeddings.weight",
        "generator.gen_z.bias",
        "generator.gen_z.weight_orig",
        "generator.gen_z.weight_u",
        "generator.layers.0.bn_0.running_vars",
        "generator.layers.0.bn_0.scale.weight_v",
        "generator.layers.3.conv_0.bias",
        "generator.layers.8.gamma",
        "generator.layers.8.snconv1x1_phi.weight_orig",
        "generator.bn.weight",
    ):
        message = refused(tmp_path, lambda state, key=key: state.pop(key))
        assert key.removesuffix("_orig") in message or "is no BigGAN-deep" in message


def test_other_keys_and_shapes_are_named(tmp_path):
    message = refused(tmp_path, lambda state: state.update({"generator.extra": torch.zeros(1)}))
    assert message.endswith("does not fit BigGAN-deep-128: 1 are unexpected (generator.extra)")
    message = refused(tmp_path, lambda state: state.update({"generator.gen_z.bias": torch.zeros(7)}))
    assert "1 have another shape (generator.gen_z.bias (7,) for (2048,))" in message
    message = refused(tmp_path, lambda state: state.update({"generator.gen_z.weight_u": torch.zeros(7)}))
    assert "lacks a fitting generator.gen_z.weight_u or generator.gen_z.weight_v beside generator.gen_z.weight_orig" in message


def test_numbers_that_are_not_finite_are_found(tmp_path):
    message = refused(tmp_path, lambda state: state["generator.layers.2.conv_1.bias"].fill_(torch.nan))
    assert "has numbers in generator.layers.2.conv_1.bias that are not finite; it is damaged, fetch it again" in message
    message = refused(tmp_path, lambda state: state["generator.gen_z.weight_u"].zero_())
    assert "has a spectral norm of 0.0 for generator.gen_z.weight" in message


def test_another_network_is_none(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "linear.bin")
    with pytest.raises(CheckpointError, match=r"is no BigGAN-deep: it holds 2 tensors \(weight, bias, …\); give weights of one"):
        load_biggan(tmp_path / "linear.bin")


def test_a_truncated_file_is_told(tmp_path):
    torch.save(published(10).state_dict(), tmp_path / "whole.bin")
    (tmp_path / "half.bin").write_bytes((tmp_path / "whole.bin").read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match=r"half\.bin.*(damaged|no PyTorch checkpoint)"):
        load_biggan(tmp_path / "half.bin")


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    torch.save({"embeddings.weight": print}, tmp_path / "code.bin")
    with pytest.raises(CheckpointError, match=r"needs more than weights: builtins\.print"):
        load_biggan(tmp_path / "code.bin")


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"no file or folder .*none\.bin; look at the path"):
        load_biggan(tmp_path / "none.bin")
    with pytest.raises(ModelNotFoundError, match=r"has none of model\.safetensors or .*; name the weight file itself"):
        load_biggan(tmp_path)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ("{", "is no JSON; fetch it again, or remove it"),
        ("[" * 100_000, "is no JSON; fetch it again, or remove it"),
        ([1], "holds a list, expected an object of sizes by name"),
        ({"channel_width": 128}, "says channel_width=128, and the weights are of 8"),
        ({"channel_width": 10**30}, "has channel_width=1000000000000000000000000000000, which no BigGAN-deep has"),
        ({"eps": "x"}, 'has eps="x", which no BigGAN-deep has'),
        ({"layers": [[True, 16, 8]]}, "has layers=[[true, 16, 8]], which no BigGAN-deep has"),
        ({"layers": [[False, {}, 1]]}, "which no BigGAN-deep has"),
        ({"layers": [[True, 16, 1]]}, "puts the attention before block 8 of 1, expected one of them"),
        ({"attention_layer_position": 3}, "does not fit BigGAN-deep-128"),
    ],
)
def test_a_config_that_is_none_or_another_is_told(tmp_path, config, text):
    assert text in refused(tmp_path, config=config)
