"""What a file of weights may make the memory hold by its own word: the file may be damaged, or come from a stranger."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import nn

from oodkit.errors import CheckpointError
from oodkit.models.state import State
from oodkit.wording import in_short

LARGEST_SIDE = 2048  # pixels
LARGEST_ARGUMENT = 2**14  # of a network's constructor: channels, blocks, pixels
ROOM = 10**8  # parameters beyond twice those of the file, for a head of another number of classes


def require_modest_size(name: str, size: Sequence[int]) -> None:
    """Raise CheckpointError where the images, (channels, height, width), are larger than a file decides."""
    if max(size) > LARGEST_SIDE:
        meant = f"where that is meant, say so: --input-size {max(size)}"
        raise CheckpointError(
            f"{name} says that its images are {tuple(size)}, and a file decides on {LARGEST_SIDE} a side; {meant}"
        )


def require_rows(name: str, state: State, facts: Mapping[str, Any]) -> None:
    """Raise CheckpointError where the metadata have a number of classes that no parameter has: a network is built first."""
    for told in (facts.get("num_classes"), facts.get("model_args", {}).get("num_classes")):
        if told is not None and not any(tensor.numel() and tensor.ndim and len(tensor) == told for tensor in state.values()):
            raise CheckpointError(f"the metadata of {name} has num_classes={in_short(told, 20)}, and no parameter has so many rows")


def require_modest_network(what: str, stored: int, arguments: Mapping[str, Any], build: Callable[[], nn.Module]) -> None:
    """Raise CheckpointError where ``build``, as a file or its arguments ask, builds what is far larger than its weights.

    what: that asks, for the error. stored: parameters of the weights, at most.
    """
    if (largest := max(_numbers(arguments), default=0)) > LARGEST_ARGUMENT:
        raise CheckpointError(f"{what} has {largest:.3g} in model_args, and a file decides on {LARGEST_ARGUMENT}")
    try:
        with torch.device("meta"):
            net = build()
    except Exception:  # noqa: BLE001 (what a stranger asks for raises anything, and some can't be built so; building it says why)
        return
    size = sum(one.numel() for one in chain(net.parameters(), net.buffers()))
    if size > 2 * stored + ROOM:
        raise CheckpointError(f"{what} asks for a network of {size:,} parameters, and its weights have at most {stored:,}")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers(one)
