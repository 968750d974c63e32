"""A tap leaves nothing in the network that it is on: no hook when it is gone, no tensor of calls that are not its own."""

import copy
import io
from concurrent.futures import ThreadPoolExecutor
from weakref import ref

import pytest
import torch
from torch import Tensor, nn

from oodkit.classifier import Classifier
from oodkit.errors import UnsupportedModelError
from oodkit.head import Head
from oodkit.tap import Tap


def pixels(count: int = 2, seed: int = 0) -> Tensor:
    return torch.randn((count, 3, 8, 8), generator=torch.Generator().manual_seed(seed))


def hooks(net: nn.Module) -> int:
    return sum(len(layer._forward_pre_hooks) for layer in net.modules())


def test_taps_share_a_hook_and_the_last_one_takes_it_away(tiny_model: Classifier) -> None:
    net = tiny_model.net
    one, other = Tap(net, tiny_model.head), Tap(net, tiny_model.head)
    expected = one(pixels())
    assert hooks(net) == 1
    del one
    assert hooks(net) == 1
    torch.testing.assert_close(other(pixels()), expected)
    other.release()
    assert hooks(net) == 0
    del other
    assert hooks(Tap(net, tiny_model.head).net) == 1


def test_what_the_head_reads_is_kept_for_no_call_but_its_own(tiny_model: Classifier) -> None:
    read: list[ref[Tensor]] = []
    tap = Tap(tiny_model.net, tiny_model.head)
    tiny_model.net.get_submodule("head").register_forward_pre_hook(lambda _layer, inputs: read.append(ref(inputs[0])))
    for call in (tiny_model.net, tap):
        call(pixels())
        assert read.pop()() is None


def test_a_copy_of_the_network_holds_nothing_of_the_tap(tiny_model: Classifier) -> None:
    """Neither tensors nor the tap; and its own tap takes the copied hook away in the end."""
    plain, tapped = io.BytesIO(), io.BytesIO()
    torch.save(tiny_model.net, plain)
    tap = Tap(tiny_model.net, tiny_model.head)
    tap(pixels(5000))
    torch.save(tiny_model.net, tapped)
    assert len(tapped.getvalue()) < len(plain.getvalue()) + 2000
    net = copy.deepcopy(tiny_model.net)
    own = Tap(net, tiny_model.head)
    torch.testing.assert_close(own(pixels()), tap(pixels()))
    del own
    assert (hooks(net), hooks(tiny_model.net)) == (0, 1)


def test_a_copied_tap_is_on_the_copied_network(tiny_model: Classifier) -> None:
    tap = Tap(tiny_model.net, tiny_model.head)
    other = copy.deepcopy(tap)
    assert (hooks(tap.net), hooks(other.net)) == (1, 1)
    net = other.net
    del other
    assert (hooks(tap.net), hooks(net)) == (1, 0)


def test_threads_get_their_own_answers_compiled_or_not(tiny_model: Classifier) -> None:
    tap = Tap(tiny_model.net, tiny_model.head)
    compiled = torch.compile(tap, backend="eager", fullgraph=True)
    batches = [pixels(4, seed) for seed in range(200)]
    expected = [tap(batch) for batch in batches]
    calls = [compiled if number % 2 else tap for number in range(200)]
    with ThreadPoolExecutor(4) as threads:
        for found, alone in zip(threads.map(lambda call, batch: call(batch), calls, batches), expected, strict=True):
            torch.testing.assert_close(found, alone)


class Fickle(nn.Module):
    """Runs its head on light images alone."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images.flatten(1)) if images.mean() > 0 else images.flatten(1)[:, :3]


def test_a_head_that_did_not_run_is_said() -> None:
    net = Fickle()
    tap = Tap(net, Head(net.head.weight, net.head.bias, ("head",)))
    assert tap(torch.ones(2, 3, 8, 8))[0].shape == (2, 192)
    with pytest.raises(UnsupportedModelError, match="the network answered without its layer head, whose input is the feature; a"):
        tap(-torch.ones(2, 3, 8, 8))
