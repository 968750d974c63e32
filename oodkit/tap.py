"""A network with a tap before its head: features and logits from one forward pass, as a module that compiles."""

from threading import get_ident

import torch
from torch import Tensor, nn

from oodkit.head import Head
from oodkit.heads import averaged


class Tap(nn.Module):
    """Images (N, 3, H, W) to what the head reads, (N, D), and what the network answers, (N, C).

    As ``features_and_logits``, but with hooks that stay: torch.compile and torch.export meet the same network in every call, and
    several threads may call it at once. Several taps of one network share its hooks. Features carry no gradients.
    """

    def __init__(self, net: nn.Module, head: Head) -> None:
        super().__init__()
        self.net, self._shared = net, head.shared
        self._keepers = [_keeper_at(net.get_submodule(name)) for name in head.layers]

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Keeps whatever autocast and memory format the caller set."""
        logits: Tensor = self.net(batch)
        read = [keeper.take() for keeper in self._keepers]
        return read[0] if self._shared or len(read) == 1 else torch.cat(read, dim=1), logits


class _Keeper:
    """A hook that keeps what its layer read last, for each thread by itself."""

    def __init__(self) -> None:
        self._read: dict[int, Tensor] = {}

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.Linear | nn.Conv2d)
        if inputs:
            self._read[_thread()] = averaged(layer, inputs[0].detach())[0]

    def take(self) -> Tensor:
        return self._read.pop(_thread())


def _keeper_at(layer: nn.Module) -> _Keeper:
    for hook in layer._forward_pre_hooks.values():  # noqa: SLF001 (the only way to the hooks of a module)
        if isinstance(hook, _Keeper):
            return hook
    keeper = _Keeper()
    layer.register_forward_pre_hook(keeper)
    return keeper


def _thread() -> int:
    return 0 if torch.compiler.is_compiling() else get_ident()
