"""The last linear layer of a classifier, cut free of its network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from oodkit.atomic import write_atomically
from oodkit.errors import OutputsError
from oodkit.parts import tensor_of


@dataclass(frozen=True, eq=False)
class Head:
    """logits = features @ weight.T + bias.

    weight: (C, D). bias: (C,). layers: the names of the network's layers that it came from; several where the network averages
    several heads. shared: whether those layers all read the same feature; otherwise ``weight`` holds their weights side by side.
    Numpy arrays will do for weight and bias; a parameter is held without its gradient.
    """

    weight: Tensor
    bias: Tensor
    layers: tuple[str, ...] = ()
    shared: bool = False

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

    def to(self, device: torch.device | str) -> "Head":
        return replace(self, weight=self.weight.to(device), bias=self.bias.to(device))

    def save(self, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
        """Write ``weight`` and ``bias`` as safetensors, with the layer names and ``metadata`` beside them."""
        tensors = {"weight": self.weight.detach().cpu().contiguous().clone(), "bias": self.bias.detach().cpu().contiguous().clone()}
        facts = {"format": "oodkit-head-1", "layers": json.dumps(self.layers), "shared": json.dumps(self.shared)}
        write_atomically(Path(path), lambda temporary: save_file(tensors, temporary, {**(metadata or {}), **facts}))

    @classmethod
    def load(cls, path: str | Path) -> "Head":
        """Read what ``save`` wrote. Raises OutputsError where the file is missing, damaged or something else."""
        try:
            with safe_open(str(path), "pt") as file:
                facts = file.metadata() or {}
                if facts.get("format") != "oodkit-head-1":
                    raise OutputsError(f"{path} is no oodkit head: its metadata has no format oodkit-head-1")
                layers = tuple(json.loads(facts["layers"]))
                return cls(file.get_tensor("weight"), file.get_tensor("bias"), layers, json.loads(facts["shared"]))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise OutputsError(f"can't read a head from {path}: {error}") from error

    @torch.no_grad()
    def apply_to(self, net: nn.Module) -> None:
        """Write this head into the layers of ``net`` that it names, so that the network's logits become this head's.

        Averaged heads f_k W_kᵀ + b_k: with W the W_k / K side by side, W_k = K · (slice of W) and b_k = b; layers that read one
        and the same feature all get W itself.
        """
        start = 0
        for name in self.layers:
            layer = net.get_submodule(name)
            assert isinstance(layer.weight, Tensor)
            width = self.num_features if self.shared else layer.weight.numel() // self.num_classes
            scale = 1 if self.shared else len(self.layers)
            own = scale * self.weight[:, start : start + width]
            layer.weight.copy_(own.reshape(layer.weight.shape))
            if isinstance(layer.bias, Tensor):
                layer.bias.copy_(self.bias)
            elif self.bias.any():
                layer.bias = nn.Parameter(self.bias.detach().to(layer.weight, copy=True))
            start += 0 if self.shared else width
