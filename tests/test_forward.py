"""One batch through the network; what keeps a probe from it is found out on one image, before any set is touched."""

import sys

import pytest
import torch

from oodkit.forward import Runner, obstacle
from oodkit.probes import parse_probe


def test_none_where_it_can(tiny_model):
    tiny_model.preprocessing = {"std": [0.5, 0.5, 0.5]}
    assert obstacle(tiny_model, parse_probe("odin")) is None
    assert obstacle(tiny_model, parse_probe("adascale")) is None


def test_the_probes_own_reason(tiny_model):
    assert obstacle(tiny_model, parse_probe("odin")).startswith("its preprocessing names no std")
    assert obstacle(tiny_model, parse_probe("rankfeat")).startswith("it takes the maps of the last two stages")


def test_whatever_a_network_raises_is_a_reason_and_leaves_it_as_it_was(tiny_model):
    tiny_model.net.train()
    tiny_model.net.body.forward = lambda _rows: torch.ones(2, 2) @ torch.ones(3, 3)
    assert obstacle(tiny_model, parse_probe("adascale")).startswith("on a random image it raised RuntimeError: ")
    assert tiny_model.net.training
    assert all(weight.requires_grad for weight in tiny_model.net.parameters())


def test_a_gradient_that_is_cut_off_is_a_reason(tiny_model):
    body = tiny_model.net.body.forward
    tiny_model.net.body.forward = lambda rows: body(rows).detach()
    assert obstacle(tiny_model, parse_probe("adascale")).startswith("no gradient reaches the pixels")


def test_nothing_has_the_columns_of_a_network_that_divides_by_its_inputs_norm(tiny_model):
    """Of a shard whose images can't be read: an image of zeros is NaN to such a network, and its weights are not damaged."""
    tiny_model.net.register_forward_pre_hook(lambda _net, inputs: (inputs[0] / torch.linalg.vector_norm(inputs[0]),))
    columns = Runner(tiny_model, torch.device("cpu"), torch.float32, 4).nothing()
    assert {name: tuple(tensor.shape) for name, tensor in columns.items()} == {"features": (0, 6), "logits": (0, 3)}


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()], ids=["accelerator", "machine"])
def test_memory_is_given_back_only_once_nothing_holds_the_activations(error, tiny_model, monkeypatch):
    """While the exception is handled its traceback holds them, and emptying the cache frees nothing."""
    runner, handled = Runner(tiny_model, torch.device("cpu"), torch.float32, 4), []

    def forward(pixels):
        if len(pixels) > 2:
            raise error
        return {"features": pixels, "logits": pixels}

    monkeypatch.setattr(runner, "_forward", forward)
    monkeypatch.setattr(runner, "device", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: handled.append(sys.exc_info()[0]))
    assert len(runner.run(torch.zeros(4, 1))["logits"]) == 4
    assert handled == [None]
