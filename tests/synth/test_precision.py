"""One rule for all generators: bfloat16 where the device multiplies it in hardware."""

import pytest
import torch

from oodkit.synth.precision import best_precision, fast_in_bf16


@pytest.mark.parametrize(("capability", "fast"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_of_cuda_it_is_what_is_not_emulated(monkeypatch, capability, fast):
    """PyTorch calls bfloat16 supported on a T4 (7.5) too, where it is emulated and slow. The second GPU is asked, not the first."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability if device.index == 1 else (0, 0))
    assert fast_in_bf16(torch.device("cuda", 1)) is fast


@pytest.mark.parametrize(("amx", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_of_cpus_it_is_those_with_amx(monkeypatch, amx, precision):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert best_precision(torch.device("cpu")) == precision


def test_elsewhere_it_is_float32():
    assert best_precision(torch.device("mps")) == "float32"
