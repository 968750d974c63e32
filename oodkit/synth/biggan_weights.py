"""BigGAN-deep's weights from a file: its sizes, and spectral norm divided out once."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from oodkit.errors import CheckpointError
from oodkit.models.state import State, read_state
from oodkit.synth.weights_at import CONFIG, weight_file
from oodkit.wording import in_short, printable

Layers = tuple[tuple[bool, int, int], ...]
FILES = ("model.safetensors", "pytorch_model.safetensors", "pytorch_model.bin")
LARGEST = 2**20  # of a size that a file may name
MOST_LAYERS = 40
WIDTHS = (1, 2, 4, 8, 16)

# By the number of blocks; of each whether it doubles height and width, and its channels before and after in channel widths.
_FIRST = ((False, 16, 16), (True, 16, 16), (False, 16, 16), (True, 16, 8), (False, 8, 8))
_LAST = ((True, 8, 4), (False, 4, 4), (True, 4, 2), (False, 2, 2), (True, 2, 1))
LAYERS: dict[int, Layers] = {
    10: (*_FIRST, *_LAST),
    12: (*_FIRST, (True, 8, 8), (False, 8, 8), *_LAST),
    14: (*_FIRST, (True, 8, 8), (False, 8, 8), *_LAST, (False, 1, 1), (True, 1, 1)),
}


@dataclass(frozen=True)
class Sizes:
    """What decides the network's shapes; the defaults are BigGAN-deep-128's.

    layers: of each block, whether it doubles height and width, and the channels before and after it in units of channel_width.
    attention_layer_position: the number of the block that self-attention stands before. n_stats: how many truncations from 0 to 1
    have statistics. eps: is added to variances.
    """

    z_dim: int = 128
    class_embed_dim: int = 128
    channel_width: int = 128
    num_classes: int = 1000
    layers: Layers = LAYERS[10]
    attention_layer_position: int = 8
    n_stats: int = 51
    eps: float = 1e-4

    @property
    def condition(self) -> int:
        """How many numbers every block is told: noise and class."""
        return self.z_dim + self.class_embed_dim

    @property
    def output_dim(self) -> int:
        """The side of the images in pixels."""
        return int(4 * 2 ** sum(upsamples for upsamples, _, _ in self.layers))


def read_biggan(path: Path) -> tuple[Sizes, State]:
    """The sizes that weights are of, and the weights with spectral norm divided out, float32.

    path: a file; or a folder with pytorch_model.bin or *.safetensors, and a config.json where the layers are none of the published.
    Raises ModelNotFoundError where there is no such file, CheckpointError where it is damaged or is no BigGAN-deep.
    """
    file = weight_file(path, FILES)
    state = read_state(file).state
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise CheckpointError(f"{file} has numbers in {printable(name)} that are not finite; it is damaged, fetch it again")
    config = path / CONFIG if path.is_dir() else None
    sizes = _sizes_of(state, file)
    if config is not None and config.exists():
        sizes = _configured(sizes, config)
    return sizes, {name: tensor.float() for name, tensor in _folded(state, file).items()}


def _sizes_of(state: Mapping[str, Tensor], file: Path) -> Sizes:
    """The sizes that the shapes tell; the layers are the published ones of as many blocks."""
    try:
        embedded, classes = state["embeddings.weight"].shape
        stats, width = state["generator.bn.running_means"].shape
        condition = state.get("generator.gen_z.weight_orig", state.get("generator.gen_z.weight", torch.empty(0))).shape[1]
    except (KeyError, ValueError, IndexError) as error:
        names = ", ".join(printable(name) for name in list(state)[:3])
        raise CheckpointError(
            f"{file} is no BigGAN-deep: it holds {len(state)} tensors ({names}, …); give weights of one"
        ) from error
    blocks = {name.split(".")[2] for name in state if re.fullmatch(r"generator\.layers\.\d+\.conv_0\.bias", name)}
    layers = LAYERS.get(len(blocks), LAYERS[10])
    sizes = Sizes(condition - embedded, embedded, width, classes, layers, n_stats=stats)
    if min(sizes.z_dim, width, classes, stats - 1) < 1:
        raise CheckpointError(f"{file} is no BigGAN-deep: its shapes leave {sizes.z_dim} numbers of noise and {width} channels")
    return sizes


def _configured(sizes: Sizes, config: Path) -> Sizes:
    """The sizes with what config.json adds to the shapes. Raises CheckpointError where it contradicts them, or is none.

    Its output_dim goes unread, as in the published package: the layers decide.
    """
    told = _read_config(config)
    configured = replace(sizes, **{name: told[name] for name in ("attention_layer_position", "eps") if name in told})
    if "layers" in told:
        configured = replace(configured, layers=tuple((bool(up), before, after) for up, before, after in told["layers"]))
    for name in ("z_dim", "channel_width", "num_classes", "n_stats"):
        if told.get(name, getattr(configured, name)) != getattr(configured, name):
            raise CheckpointError(f"{config} says {name}={told[name]}, and the weights are of {getattr(configured, name)}")
    if configured.attention_layer_position >= len(configured.layers):
        got = f"{configured.attention_layer_position} of {len(configured.layers)}"
        raise CheckpointError(f"{config} puts the attention before block {got}, expected one of them")
    return configured


def _read_config(config: Path) -> dict[str, Any]:
    try:
        told = json.loads(config.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{config} is no JSON; fetch it again, or remove it: the published sizes need none") from error
    if not isinstance(told, dict):
        raise CheckpointError(f"{config} holds a {type(told).__name__}, expected an object of sizes by name")
    for name in _FITS.keys() & told.keys():
        if not _FITS[name](told[name]):
            raise CheckpointError(f"{config} has {name}={in_short(json.dumps(told[name]), 60)}, which no BigGAN-deep has")
    return told


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _are_layers(value: Any) -> bool:
    """Whether they are blocks that follow on one another, and the last ends in as many channels as the channel width."""
    if not isinstance(value, list) or not 0 < len(value) <= MOST_LAYERS or not all(map(_is_layer, value)):
        return False
    ends = [16, *(after for _, _, after in value)]
    return ends[-1] == 1 and all(before == end for (_, before, _), end in zip(value, ends, strict=False))


def _is_layer(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], bool) and all(one in WIDTHS for one in value[1:])


def _is_eps(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < 1


_FITS = {"layers": _are_layers, "eps": _is_eps}
_FITS |= dict.fromkeys(("z_dim", "channel_width", "num_classes", "n_stats", "attention_layer_position"), _is_size)


def _folded(state: State, file: Path) -> State:
    """Each weight divided by its largest singular value u · W v, as training left u and v; what is divided already stays.

    Miyato et al., arXiv:1802.05957, equation 8 and algorithm 1.
    """
    folded = {name: tensor for name, tensor in state.items() if not name.endswith(("weight_orig", "weight_u", "weight_v"))}
    for name in (name for name in state if name.endswith(".weight_orig")):
        layer, weight = name.removesuffix("_orig"), state[name].double()
        u, v = (state.get(f"{layer}_{letter}", torch.empty(0)).double() for letter in "uv")
        if (u.numel(), v.numel()) != (len(weight), math.prod(weight.shape[1:])):
            raise CheckpointError(f"{file} lacks a fitting {layer}_u or {layer}_v beside {name}; give the whole state dict")
        norm = u @ (weight.flatten(1) @ v)
        if not norm.isfinite() or norm == 0:
            raise CheckpointError(f"{file} has a spectral norm of {norm.item()} for {layer}; it is damaged, fetch it again")
        folded[layer] = weight / norm
    return folded
