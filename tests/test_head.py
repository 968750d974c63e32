"""A head by itself, on disk, and written back into single, averaged and shared layers."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from oodkit.errors import OutputsError
from oodkit.head import Head


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def new_head(classes=3, width=5, **rest):
    return Head(random(classes, width), random(classes, seed=1), **rest)


def test_logits_by_hand():
    head = Head(torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor([0.5, 0.0]))
    assert head(torch.tensor([[3.0, 4.0]])).tolist() == [[11.5, -4.0]]
    assert (head.num_classes, head.num_features) == (2, 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_logits_come_in_the_features_precision(dtype):
    assert new_head()(random(2, 5).to(dtype)).dtype == dtype


def test_shapes_that_are_no_head_are_refused():
    with pytest.raises(OutputsError, match=r"weight \(C, D\) and bias \(C,\), got weight \(3, 5\) and bias \(4,\)"):
        Head(random(3, 5), random(4))


def test_arrays_and_parameters_make_a_head():
    layer = nn.Linear(5, 3)
    weight, bias = layer.weight.detach(), layer.bias.detach()
    for head in (Head(layer.weight, layer.bias), Head(weight.numpy(), bias.numpy())):
        assert torch.equal(head(torch.ones(2, 5)), torch.nn.functional.linear(torch.ones(2, 5), weight, bias))
        assert not head.weight.requires_grad
    with pytest.raises(OutputsError, match="the head's bias must be a tensor or an array of numbers, got NoneType"):
        Head(weight, None)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    head = new_head(layers=("a.fc", "b.fc"), shared=True)
    head.save(tmp_path / "head.safetensors", {"model": "tiny"})
    loaded = Head.load(tmp_path / "head.safetensors")
    assert torch.equal(loaded.weight, head.weight)
    assert torch.equal(loaded.bias, head.bias)
    assert (loaded.layers, loaded.shared) == (("a.fc", "b.fc"), True)


def test_a_slice_of_a_larger_weight_is_saved_by_itself(tmp_path):
    """The stored file holds the head, not the memory that it is a view of."""
    large = random(1000, 50)
    Head(large[:2, :5], large[:2, 0]).save(tmp_path / "head.safetensors")
    assert (tmp_path / "head.safetensors").stat().st_size < 1000


def test_what_is_no_head_is_refused(tmp_path):
    path = tmp_path / "head.safetensors"
    with pytest.raises(OutputsError, match="can't read a head"):
        Head.load(path)
    path.write_bytes(b"something else")
    with pytest.raises(OutputsError, match="can't read a head"):
        Head.load(path)
    save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(OutputsError, match="is no oodkit head"):
        Head.load(path)
    save_file({"weight": torch.zeros(1)}, path, {"format": "oodkit-head-1", "layers": "[]", "shared": "false"})
    with pytest.raises(OutputsError, match="can't read a head"):
        Head.load(path)


def test_written_back_into_a_single_layer():
    net = nn.Sequential(nn.Identity(), nn.Linear(5, 3))
    head = new_head(layers=("1",))
    head.apply_to(net)
    features = random(4, 5, seed=2)
    torch.testing.assert_close(net(features), head(features))
    assert net[1].weight.requires_grad


def test_written_back_into_a_layer_without_bias():
    net = nn.Sequential(nn.Linear(5, 3, bias=False))
    head = new_head(layers=("0",))
    head.apply_to(net)
    torch.testing.assert_close(net(random(4, 5, seed=2)), head(random(4, 5, seed=2)))
    plain = nn.Sequential(nn.Linear(5, 3, bias=False))
    Head(head.weight, torch.zeros(3), ("0",)).apply_to(plain)
    assert plain[0].bias is None


def test_written_back_into_a_convolution_over_one_pixel():
    net = nn.Sequential(nn.Conv2d(5, 3, 1), nn.Flatten())
    head = new_head(layers=("0",))
    head.apply_to(net)
    features = random(4, 5, seed=2)
    torch.testing.assert_close(net(features[:, :, None, None]), head(features))


class Averaged(nn.Module):
    """Two heads on features of their own, averaged."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 3), nn.Linear(3, 3)

    def forward(self, features):
        return (self.first(features[:, :2]) + self.second(features[:, 2:])) / 2


class Shared(nn.Module):
    """Two heads on one feature, averaged."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 3), nn.Linear(5, 3)

    def forward(self, features):
        return (self.first(features) + self.second(features)) / 2


@pytest.mark.parametrize(("net", "shared"), [(Averaged(), False), (Shared(), True)])
def test_written_back_into_averaged_layers(net, shared):
    head = new_head(layers=("first", "second"), shared=shared)
    head.apply_to(net)
    features = random(4, 5, seed=2)
    torch.testing.assert_close(net(features), head(features))


def test_the_file_has_the_layers_own_names_and_shapes(tmp_path):
    """W side by side and halved: each of two layers gets twice its slice, and the whole bias."""
    net = Averaged()
    shapes = {name: tuple(one.shape) for name, one in net.named_parameters()}
    head = new_head(layers=("first", "second"), shapes=shapes)
    head.save(tmp_path / "head.safetensors")
    stored = load_file(tmp_path / "head.safetensors")
    assert torch.equal(stored["first.weight"], 2 * head.weight[:, :2])
    assert torch.equal(stored["second.weight"], 2 * head.weight[:, 2:])
    assert torch.equal(stored["first.bias"], head.bias)
    assert torch.equal(stored["second.bias"], head.bias)
    loaded = Head.load(tmp_path / "head.safetensors")
    assert torch.equal(loaded.weight, head.weight)
    assert torch.equal(loaded.bias, head.bias)
    assert dict(loaded.shapes) == shapes


def test_a_convolution_is_stored_as_one(tmp_path):
    net = nn.Sequential(nn.Conv2d(5, 3, 1), nn.Flatten())
    head = new_head(layers=("0",))
    head.save(tmp_path / "head.safetensors", net=net)
    assert load_file(tmp_path / "head.safetensors")["0.weight"].shape == (3, 5, 1, 1)
    assert torch.equal(Head.load(tmp_path / "head.safetensors").weight, head.weight)


def test_several_layers_of_unknown_shapes_are_stored_as_one_matrix(tmp_path):
    head = new_head(layers=("first", "second"))
    head.save(tmp_path / "head.safetensors")
    assert set(load_file(tmp_path / "head.safetensors")) == {"weight", "bias"}
    assert Head.load(tmp_path / "head.safetensors").layers == ("first", "second")
    head.save(tmp_path / "head.safetensors", net=Averaged())
    assert set(load_file(tmp_path / "head.safetensors")) == {"first.weight", "first.bias", "second.weight", "second.bias"}


def test_what_the_older_version_saved_is_read(tmp_path):
    head = new_head()
    facts = {"format": "oodkit-head-1", "layers": '["fc"]', "shared": "false"}
    save_file({"weight": head.weight, "bias": head.bias}, tmp_path / "head.safetensors", facts)
    loaded = Head.load(tmp_path / "head.safetensors")
    assert torch.equal(loaded.weight, head.weight)
    assert (loaded.layers, loaded.shared, dict(loaded.shapes)) == (("fc",), False, {})


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (new_head(layers=("2",)), "the head is of the layer 2, which the network lacks; give the head of this very architecture"),
        (new_head(layers=("0",)), "the head is of the layer 0, which the network lacks"),
        (
            new_head(4, 5, layers=("1",)),
            r"a head of 4 classes and 5 features does not fit the network's 1 \(3, 5\); give the head of",
        ),
        (new_head(3, 6, layers=("1",)), r"a head of 3 classes and 6 features does not fit the network's 1 \(3, 5\)"),
        (new_head(), "a head of 3 classes and 5 features does not fit the network's no layers"),
    ],
)
def test_a_head_of_another_network_is_refused_and_nothing_is_written(head, message):
    net = nn.Sequential(nn.Identity(), nn.Linear(5, 3))
    before = net[1].weight.detach().clone()
    with pytest.raises(OutputsError, match=message):
        head.apply_to(net)
    assert torch.equal(net[1].weight, before)


@pytest.mark.parametrize(
    ("tensors", "facts"),
    [
        ({}, {}),
        ({"fc.weight": torch.ones(3, 5)}, {"layers": '["top"]'}),
        ({"fc.weight": torch.ones(3)}, {"layers": '["fc"]'}),
        ({"fc.weight": torch.ones(3, 5), "fc.bias": torch.ones(4)}, {"layers": '["fc"]'}),
        ({"fc.weight": torch.ones(3, 5), "fc.bias": torch.ones(3, 1)}, {"layers": '["fc"]'}),
        ({"fc.weight": torch.ones(3, 5, dtype=torch.int32), "fc.bias": torch.ones(3)}, {"layers": '["fc"]'}),
        ({"fc.weight": torch.ones(3, 5), "up.weight": torch.ones(4, 5)}, {"layers": '["fc", "up"]'}),
        ({"fc.weight": torch.ones(3, 5)}, {"layers": "{"}),
        ({"fc.weight": torch.ones(3, 5)}, {"layers": "3"}),
        ({"fc.weight": torch.ones(3, 5)}, {"layers": "[[]]"}),
        ({"fc.weight": torch.ones(3, 5)}, {"layers": "[" * 100_000}),
        ({"fc.weight": torch.ones(3, 0)}, {"layers": '["fc"]', "folded": '["fc"]'}),
        ({"fc.weight": torch.ones(3, 5)}, {"layers": '["fc"]', "folded": "1"}),
    ],
)
def test_a_strangers_file_that_is_no_head_is_one_line(tmp_path, tensors, facts):
    save_file(tensors, tmp_path / "head.safetensors", {"format": "oodkit-head-2", **facts})
    with pytest.raises(OutputsError, match="can't read a head from") as error:
        Head.load(tmp_path / "head.safetensors")
    assert "\n" not in str(error.value)
