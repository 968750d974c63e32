"""A classifier as oodkit uses it: network, transform, class names, and the head that the network's logits come from."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from oodkit.head import Head

Transform = Callable[[Image.Image], Tensor]


@dataclass(eq=False)
class Classifier:
    """A network in evaluation mode and what is known of it.

    name: as the user spelled it, with the weights' tag added where it was left out. transform: an RGB image to a normalised
    (3, H, W) float32 tensor. preprocessing: the same in words and numbers, JSON-able. class_names: for people, one per logit;
    class_ids: WordNet ids or other keys that class folders may be named by. about: architecture, licence, source, JSON-able.
    """

    name: str
    net: nn.Module
    transform: Transform
    head: Head
    input_size: tuple[int, int, int]
    preprocessing: Mapping[str, Any]
    class_names: tuple[str, ...] | None = None
    class_ids: tuple[str, ...] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        return self.head.num_classes

    def fingerprint(self) -> str:
        """A hash of the network's structure and of every weight and buffer; never of its name."""
        digest = hashlib.blake2b(repr(self.net).encode(), digest_size=16)
        for name, tensor in self.net.state_dict().items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()
