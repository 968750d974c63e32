"""The last linear layer of a classifier, cut free of its network."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from oodkit.columns import tensor_of
from oodkit.errors import OutputsError
from oodkit.tensor_file import load_stored, save_stored
from oodkit.wording import in_short, printable

FORMAT, BEFORE = "oodkit-head-2", "oodkit-head-1"
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Head:
    """logits = features @ weight.T + bias.

    weight: (C, D). bias: (C,). layers: the names of the network's layers that it came from; several where the network averages
    several heads. shared: whether those layers all read the same feature; otherwise ``weight`` holds their weights side by side.
    shapes: of those layers' parameters by name, ``{"fc.weight": (C, D), "fc.bias": (C,)}``; empty where only their names are known.
    Numpy arrays will do for weight and bias; a parameter is held without its gradient.
    """

    weight: Tensor
    bias: Tensor
    layers: tuple[str, ...] = ()
    shared: bool = False
    shapes: Shapes = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("weight", "bias"):
            object.__setattr__(self, name, tensor_of(f"the head's {name}", getattr(self, name)))
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[:1]:
            got = f"weight {tuple(self.weight.shape)} and bias {tuple(self.bias.shape)}"
            raise OutputsError(f"a head needs weight (C, D) and bias (C,), got {got}")

    @property
    def num_classes(self) -> int:
        return self.weight.shape[0]

    @property
    def num_features(self) -> int:
        return self.weight.shape[1]

    def __call__(self, features: Tensor) -> Tensor:
        """Logits (N, C) of features (N, D), in the features' own precision."""
        return nn.functional.linear(features, self.weight.to(features), self.bias.to(features))

    def is_same(self, other: "Head | None") -> bool:
        """Whether it makes the same logits: of the same numbers, wherever they lie and whatever layers they are of."""
        if other is None:
            return False
        pairs = (self.weight, other.weight), (self.bias, other.bias)
        return all(torch.equal(one.cpu().double(), two.cpu().double()) for one, two in pairs)

    def to(self, device: torch.device | str) -> "Head":
        return replace(self, weight=self.weight.to(device), bias=self.bias.to(device))

    def save(self, path: str | Path, metadata: Mapping[str, str] | None = None, net: nn.Module | None = None) -> None:
        """Write the head as safetensors, under the names and in the shapes of the layers that it came from, ``metadata`` beside.

        ``net.load_state_dict(load_file(path), strict=False)`` then gives it to a network without oodkit. net: where the head came
        from, for one that does not know the shapes of its layers. A head of no layer is stored as ``weight`` and ``bias``; so is
        one of several layers whose shapes are not known.

        Where a layer has no bias, but this head has one, it is stored as the last column of the layer's weight: a network then
        refuses the file instead of passing over the bias. ``apply_to`` gives the layer one.
        """
        shapes = self._shapes() if net is None else layer_shapes(net, self.layers)
        folded = [layer for layer in self.layers if shapes and f"{layer}.bias" not in shapes and self.bias.any()]
        tensors = {} if shapes else {"weight": self.weight, "bias": self.bias}
        for layer, weight, bias in self._parts(shapes):
            column = [bias.reshape(-1, 1, *weight.shape[2:])] if layer in folded else []
            tensors[f"{layer}.weight"] = torch.cat([weight, *column], dim=1)
            tensors |= {f"{layer}.bias": bias} if f"{layer}.bias" in shapes else {}
        copies = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
        words = {"layers": self.layers, "shared": self.shared, "folded": folded}
        facts = {"format": FORMAT, **{name: json.dumps(value) for name, value in words.items()}}
        save_stored(Path(path), copies, {**(metadata or {}), **facts})

    @classmethod
    def load(cls, path: str | Path) -> "Head":
        """Read what ``save`` wrote. Raises OutputsError where the file is missing, damaged or something else."""
        return load_head(path)[0]

    @torch.no_grad()
    def apply_to(self, net: nn.Module) -> None:
        """Write this head into the layers of ``net`` that it names, so that the network's logits become this head's.

        A layer without a bias gets one, unless the head's is 0. Raises OutputsError where the network has other layers; then
        nothing is written.
        """
        shapes = layer_shapes(net, self.layers)
        widths = [math.prod(shapes[f"{layer}.weight"][1:]) for layer in self.layers]
        classes = {shapes[f"{layer}.weight"][0] for layer in self.layers}
        width = widths[0] if self.shared and len(set(widths)) == 1 else sum(widths)
        if (classes, width) != ({self.num_classes}, self.num_features):
            layers = ", ".join(f"{layer} {shapes[f'{layer}.weight']}" for layer in self.layers) or "no layers"
            got = f"a head of {self.num_classes} classes and {self.num_features} features does not fit the network's {layers}"
            raise OutputsError(f"{got}; give the head of this very architecture")
        for name, weight, bias in self._parts(shapes):
            layer = net.get_submodule(name)
            assert isinstance(layer, nn.Linear | nn.Conv2d)
            layer.weight.copy_(weight)
            if layer.bias is not None:
                layer.bias.copy_(bias)
            elif bias.any():
                layer.bias = nn.Parameter(bias.to(layer.weight, copy=True))

    def _shapes(self) -> Shapes:
        """Those of the layers' parameters; where they are not known, of linear layers with a bias, if that leaves no choice."""
        if self.shapes or not (self.shared or len(self.layers) == 1):
            return self.shapes
        own = {"weight": tuple(self.weight.shape), "bias": tuple(self.bias.shape)}
        return {f"{layer}.{name}": shape for layer in self.layers for name, shape in own.items()}

    def _parts(self, shapes: Shapes) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Of each layer the name, the weight in the layer's own shape, and the bias; none without ``shapes``.

        Averaged heads f_k W_kᵀ + b_k: with W the W_k / K side by side, W_k = K · (slice of W) and b_k = b; layers that read one
        and the same feature all get W itself.
        """
        start = 0
        for layer in self.layers if shapes else ():
            shape = shapes[f"{layer}.weight"]
            width = self.num_features if self.shared else math.prod(shape[1:])
            scale = 1 if self.shared else len(self.layers)
            yield layer, (scale * self.weight[:, start : start + width]).reshape(shape), self.bias
            start += 0 if self.shared else width


def layer_shapes(net: nn.Module, layers: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of the layers' weights and biases by name. Raises OutputsError where the network has no such linear layer."""
    modules = dict(net.named_modules())
    found: dict[str, tuple[int, ...]] = {}
    for layer in layers:
        module = modules.get(layer)
        if not isinstance(module, nn.Linear | nn.Conv2d):
            raise OutputsError(
                f"the head is of the layer {printable(layer)}, which the network lacks; give the head of this very architecture"
            )
        found |= {f"{layer}.{name}": tuple(tensor.shape) for name, tensor in module.named_parameters(recurse=False)}
    return found


def load_head(path: str | Path) -> tuple[Head, dict[str, str]]:
    """The head that ``Head.save`` wrote, and the metadata beside it.

    Raises OutputsError where the file is missing, damaged or something else.
    """
    tensors, facts = load_stored(Path(path), "a head")
    if facts.get("format") not in {FORMAT, BEFORE}:
        raise OutputsError(f"{path} is no oodkit head: its metadata has no format {FORMAT}")
    try:
        if others := {tensor.dtype for tensor in tensors.values()} - FLOATS:
            raise ValueError(f"its numbers are {others.pop()}, expected floats")
        layers, shared, folded = (json.loads(facts.get(name, "[]")) for name in ("layers", "shared", "folded"))
        if not (isinstance(layers, list) and all(isinstance(layer, str) for layer in layers)):
            raise ValueError("its layers are no list of names")
        if {"weight", "bias"} == tensors.keys():
            head = Head(tensors["weight"], tensors["bias"], tuple(layers), bool(shared))
        else:
            head = _joined(tensors, tuple(layers), bool(shared), folded)
    except (OutputsError, KeyError, IndexError, TypeError, ValueError, RuntimeError, RecursionError) as error:
        raise OutputsError(f"can't read a head from {path}: {in_short(error)}") from error
    return head, facts


def _joined(tensors: Mapping[str, Tensor], layers: tuple[str, ...], shared: bool, folded: Sequence[str]) -> Head:
    """One head of the parameters of the layers that a network averages."""
    weights, biases, shapes = [], [], {}
    for layer in layers:
        weight, bias = tensors[f"{layer}.weight"], tensors.get(f"{layer}.bias")
        if layer in folded:
            weight, bias = weight[:, :-1], weight[:, -1].flatten()
        elif bias is not None:
            shapes[f"{layer}.bias"] = tuple(bias.shape)
        shapes[f"{layer}.weight"] = tuple(weight.shape)
        weights.append(weight.flatten(1))
        biases.append(weight.new_zeros(len(weight)) if bias is None else bias)
    weight = torch.stack(weights).mean(0) if shared else torch.cat(weights, dim=1) / len(weights)
    return Head(weight, torch.stack(biases).mean(0), layers, shared, shapes)
