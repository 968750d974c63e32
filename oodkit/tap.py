"""A network with a tap before its head: features and logits from one forward pass, as a module that compiles."""

import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary, finalize

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from oodkit.errors import UnsupportedModelError
from oodkit.head import Head
from oodkit.heads import averaged


class Tap(nn.Module):
    """Images (N, 3, H, W) to what the head reads, (N, D), and what the network answers, (N, C).

    As ``features_and_logits``, but with hooks that stay while the tap lives, so that torch.compile and torch.export meet the same
    network in every call. They do nothing where the network is called by others; a copy or a pickle of the network made meanwhile
    has them too. Several taps of one network share its hooks, and several threads may call one, compiled or not. Features carry
    no gradients. Raises UnsupportedModelError where a layer of the head does not run.
    """

    def __init__(self, net: nn.Module, head: Head) -> None:
        super().__init__()
        self.net, self._names, self._shared = net, head.layers, head.shared
        self._attach()

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Keeps whatever autocast and memory format the caller set."""
        outer = _call.read
        read: dict[nn.Module, Tensor] = {}
        _call.read = read
        try:
            logits: Tensor = self.net(batch)
        finally:
            _call.read = outer
        if not torch.compiler.is_compiling():
            self._require_all(read)
        found = [read[layer] for layer in self._layers]
        return found[0] if self._shared or len(found) == 1 else torch.cat(found, dim=1), logits

    def _attach(self) -> None:
        self._layers = [self.net.get_submodule(name) for name in self._names]
        _use(self._layers)
        self._end = finalize(self, _leave, self._layers)

    def release(self) -> None:
        """Take its hooks away now instead of when it is gone; it can't be called any more."""
        self._end()

    def _require_all(self, read: dict[nn.Module, Tensor]) -> None:
        for name, layer in zip(self._names, self._layers, strict=True):
            if layer not in read:
                remedy = "a detector needs a network that runs its head on every call"
                raise UnsupportedModelError(f"the network answered without its layer {name}, whose input is the feature; {remedy}")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_end"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]  # as PyTorch has it
        self._attach()


class _Call(threading.local):
    """Where the hooks put what their layers read, in the thread that calls a tap; None while it calls none."""

    def __init__(self) -> None:
        self.read: dict[nn.Module, Tensor] | None = None


_call = _Call()
_used: WeakKeyDictionary[nn.Module, tuple[RemovableHandle, int]] = WeakKeyDictionary()  # the hook of a layer, and how many use it
_lock = threading.RLock()  # which the garbage collector may ask for while its own thread has it


def _keep(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """The hook; a function, so that copies and pickles of the network hold its name and nothing else."""
    if _call.read is not None and inputs:
        assert isinstance(layer, nn.Linear | nn.Conv2d)
        _call.read[layer] = averaged(layer, inputs[0].detach())[0]


def _use(layers: Sequence[nn.Module]) -> None:
    with _lock:
        for layer in layers:
            if layer not in _used:
                _clear(layer)
            handle, users = _used.get(layer) or (layer.register_forward_pre_hook(_keep), 0)
            _used[layer] = handle, users + 1


def _leave(layers: Sequence[nn.Module]) -> None:
    with _lock:
        for layer in layers:
            handle, users = _used.pop(layer)
            if users > 1:
                _used[layer] = handle, users - 1
            else:
                handle.remove()


def _clear(layer: nn.Module) -> None:
    """Of a copied layer, the hook that was copied with it."""
    hooks = layer._forward_pre_hooks  # noqa: SLF001 (the only way to the hooks of a module)
    for number in [number for number, hook in hooks.items() if hook is _keep]:
        del hooks[number]
