"""Prove where the head of every classification architecture of timm and torchvision lies, for models.csv.

Networks are untrained, and have a classifier of 1,000 classes whatever their weights have. Those of at most NUMBERS_UP_TO million
parameters are proven by numbers: oodkit's own search for the head. Larger ones are traced at full size without numbers, on the
meta device of PyTorch: the head is the layer that returns the very tensor which the network returns, with nothing written into it
since. Where there is no such layer, numbers decide again.
"""

import csv
import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from oodkit.errors import OodkitError
from oodkit.heads import Layer, find_head
from oodkit.models import from_timm, from_torchvision
from oodkit.models.base import Options, Size
from oodkit.models.preprocessing import torchvision_transform

CLASSES = 1000
REFUSED = "refused"
NUMBERS_UP_TO = 150  # million parameters
QUICK_SIZES = (64, 112)  # pixels, tried before an architecture's own size: the head does not depend on it, the time does
CHUNK = 2**20
COLUMNS = (
    "source",
    "version",
    "family",
    "architecture",
    "million_parameters",
    "weights_1000",  # how many weights of it have 1,000 classes
    "weights_more",  # another number of classes
    "weights_none",  # no classifier: they end in features or an embedding
    "proof",
    "head",
    "features",
    "layers",  # or, of a refused one, the reason
)
RANDOM = {f"{how}{shape}_" for how in ("", "kaiming_", "xavier_") for shape in ("normal", "uniform")}
SCALING = {"erfinv_", "mul_", "add_", "clamp_"}
Row = dict[str, str]


def architectures() -> Iterator[tuple[str, str]]:
    """(source, name) of every architecture of the installed libraries."""
    yield from (("timm", name) for name in timm.list_models())
    yield from (("torchvision", name) for name in torchvision.models.list_models(module=torchvision.models))


def weights_of(source: str, name: str) -> Counter[str]:
    """How many weights of an architecture have 1,000 classes, more, or no classifier."""
    if source == "torchvision":
        return Counter("1000" if one.meta.get("categories") else "none" for one in torchvision.models.get_model_weights(name))
    sizes = [timm.get_pretrained_cfg(tag).num_classes for tag in timm.list_pretrained(f"{name}.*")]
    return Counter("1000" if size == 1000 else "more" if size >= from_timm.EMBEDDING_BELOW else "none" for size in sizes)


def family_of(source: str, name: str) -> str:
    entrypoint = timm.model_entrypoint(name) if source == "timm" else torchvision.models.get_model_builder(name)
    return str(entrypoint.__module__.rpartition(".")[2])


class Unfilled(TorchFunctionMode):
    """While a network is built, its parameters are not filled with random numbers, which takes longer than all the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.left: dict[int, Tensor] = {}
        self.truncated = patch.object(nn.init, "_no_grad_trunc_normal_", lambda tensor, *_, **__: tensor.normal_())

    def __enter__(self) -> Self:
        self.truncated.start()
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.truncated.stop()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = getattr(function, "__name__", ""), kwargs or {}
        tensor = args[0] if args else kwargs.get("tensor")
        if isinstance(tensor, nn.Parameter):
            if name in RANDOM:
                self.left[id(tensor)] = tensor
            if name in RANDOM or (name in SCALING and id(tensor) in self.left):
                return tensor
        return function(*args, **kwargs)


@torch.no_grad()
def fill(net: nn.Module, unfilled: Unfilled) -> None:
    """Random numbers for what was left unfilled, and where the constructor left zeros.

    A bias of zeros or an empty last layer would let a wrong head pass for the right one.
    """
    torch.manual_seed(0)
    numbers = torch.empty(2 * CHUNK).uniform_(-1, 1)  # made once, since random numbers take longer than the rest
    for parameter in net.parameters():
        if id(parameter) in unfilled.left:
            fan_in = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 100
            for part in parameter.view(-1).split(CHUNK):
                start = int(torch.randint(CHUNK, ()))
                torch.mul(numbers[start : start + len(part)], (3 / fan_in) ** 0.5, out=part)
        elif not parameter.any():
            nn.init.normal_(parameter, std=0.1)


def built(source: str, name: str, pixels: int | None = None, device: str = "cpu") -> tuple[nn.Module, Size, Unfilled]:
    """A network with a classifier, not filled, and the size of its images: its own, or ``pixels`` square."""
    options = Options(input_size=(3, pixels, pixels) if pixels else None)
    with Unfilled() as unfilled, torch.device(device):
        if source == "timm":
            net = from_timm.build(name, options, num_classes=CLASSES)
            return net, options.input_size or net.pretrained_cfg["input_size"], unfilled
        _, weights = from_torchvision.weights_of(f"torchvision:{name}")
        _, size, _ = torchvision_transform(weights, options)
        return from_torchvision.build(f"torchvision:{name}", options), size, unfilled


def outcome(source: str, name: str) -> Row:
    """Which head an architecture has and how that was proven, or why it has none."""
    net, size = weightless(source, name)
    millions = sum(parameter.numel() for parameter in net.parameters()) / 1e6
    row = traced(net, size) if millions > NUMBERS_UP_TO else None
    return {"million_parameters": f"{millions:.1f}", **(row or computed(source, name))}


def weightless(source: str, name: str) -> tuple[nn.Module, Size]:
    """A network on the meta device; moved there, where its constructor computes with tensors (torchvision's RegNet)."""
    try:
        net, size, _ = built(source, name, device="meta")
    except OodkitError:
        net, size, _ = built(source, name)
    return net.to("meta"), size


def traced(net: nn.Module, size: Size) -> Row | None:
    """The layer of a network on the meta device whose output is the very tensor that the network returns; else None."""
    returned: list[tuple[str, Layer, Tensor, int]] = []

    def watch(name: str) -> Any:
        return lambda layer, _, output: returned.append((name, layer, output, output._version))  # noqa: SLF001 (writes into it)

    for name, layer in net.named_modules():
        if isinstance(layer, Layer):
            layer.register_forward_hook(watch(name))
    with torch.no_grad(), torch.device("meta"):
        logits = net.eval()(torch.empty(2, *size))
    if logits.shape != (2, CLASSES):
        return refused("trace", f"the network returns {tuple(logits.shape)} for images {(2, *size)}")
    for name, layer, output, version in returned:
        same = output is logits or (logits._base is output and output.numel() == logits.numel())  # noqa: SLF001 (or a view of it)
        pointwise = layer.weight[0].numel() == layer.weight.shape[1]
        if same and pointwise and output._version == version:  # noqa: SLF001 (as above)
            return found("trace", [layer], layer.weight.shape[1], [name])
    return None


def computed(source: str, name: str) -> Row:
    """The head that oodkit's search finds, or why it finds none."""
    for pixels in (*QUICK_SIZES, None):
        try:
            net, size, unfilled = built(source, name, pixels)
            fill(net, unfilled)
            head = find_head(net, size, CLASSES)
        except OodkitError as error:
            reason = str(error)
        else:
            return found("numbers", [*map(net.get_submodule, head.layers)], head.num_features, head.layers, head.shared)
    return refused("numbers", reason)


def found(proof: str, layers: Sequence[nn.Module], features: int, names: Sequence[str], shared: bool = False) -> Row:
    kind = "1×1 convolution" if isinstance(layers[0], nn.Conv2d) else "linear"
    averaged = f"mean of {len(names)} {kind}, {'one feature' if shared else 'side by side'}"
    return {
        "proof": proof,
        "head": kind if len(names) == 1 else averaged,
        "features": str(features),
        "layers": " ".join(names),
    }


def refused(proof: str, reason: str) -> Row:
    return {"proof": proof, "head": REFUSED, "features": "", "layers": reason.partition(", expected")[0]}


def complete(rows: list[Row], file: Path) -> None:
    """Add the architectures that ``rows`` lacks, and write them to ``file`` after each."""
    known = {(row["source"], row["architecture"]) for row in rows}
    versions = {"timm": timm.__version__, "torchvision": torchvision.__version__.partition("+")[0]}
    gc.freeze()  # what the libraries hold need not be looked through after every network
    for source, name in architectures():
        if (source, name) not in known:
            about = {"source": source, "version": versions[source], "family": family_of(source, name), "architecture": name}
            counts = {f"weights_{what}": str(count) for what, count in weights_of(source, name).items()}
            rows.append({**dict.fromkeys(COLUMNS, ""), **about, **counts, **outcome(source, name)})
            print(*rows[-1].values(), flush=True)
            write(rows, file)
            gc.collect()


def write(rows: list[Row], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: [row[column] for column in ("source", "family", "architecture")]))
