"""Pipelines of diffusers in half precision, where the device has it."""

from pathlib import Path

import pytest
import torch

from oodkit.synth.pipelines import _at_once, _precision

from .tiny_pipelines import made, open_one, requests_of


@pytest.mark.parametrize("name", ["dit", "consistency"])
def test_bfloat16_makes_nearly_the_same_image(folders: dict[str, Path], name: str) -> None:
    """To two levels of 255 on average, where images differ by more than ten."""
    half, full = open_one(folders, name, dtype="bfloat16"), open_one(folders, name)
    assert half.facts["dtype"] == "bfloat16"
    images, others = (made(one, requests_of(one, (1, 12))).float() for one in (half, full))
    assert (images - others).abs().mean() < 2
    assert (others[0] - others[1]).abs().mean() > 10


def test_a_network_that_makes_pixels_computes_in_bfloat16_and_keeps_its_image_in_float32(folders: dict[str, Path]) -> None:
    generator = open_one(folders, "ddpm")
    requests, seen = requests_of(generator, (1, 2)), []
    generator._autocast = True  # as on CUDA
    generator.pipe.unet.register_forward_hook(lambda net, given, found: seen.append((given[0].dtype, found.sample.dtype)))
    assert made(generator, requests).shape == (2, 3, 8, 8)
    assert set(seen) == {(torch.float32, torch.bfloat16)}


@pytest.mark.parametrize(("capability", "weights"), [((9, 0), torch.bfloat16), ((7, 5), torch.float32)])
def test_bfloat16_is_for_gpus_that_have_it(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], weights: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert _precision("auto", torch.device("cuda"), in_pixels=False) == (weights, False)


def test_precision_and_batch_size_follow_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 on CUDA; but what makes pixels itself keeps them in float32. 32 images of 256 × 256 at once, or as many pixels."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert _precision("auto", cpu, in_pixels=False) == (torch.float32, False)
    assert _precision("auto", cuda, in_pixels=False) == (torch.bfloat16, False)
    assert _precision("auto", cuda, in_pixels=True) == (torch.float32, True)
    assert _precision("float16", cuda, in_pixels=True) == (torch.float16, False)
    assert [_at_once(side, cuda) for side in (32, 256, 512, 2048)] == [256, 32, 8, 1]
    assert [_at_once(side, cpu) for side in (32, 512)] == [16, 8]
