"""What keeps a probe from a network is found out on one image, before any set is touched."""

import torch

from oodkit.forward import obstacle
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
