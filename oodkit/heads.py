"""Find the linear head of any network, and tap the features that it reads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from oodkit.errors import UnsupportedModelError
from oodkit.head import Head
from oodkit.wording import first_line

TOLERANCE = 1e-4  # of the largest logit: far above float32 rounding, far below the difference that a wrong layer makes
ROUNDING = 5e-7  # of the terms that add up to a logit, four times float32's: a refitted head has large ones that all but cancel

Layer = nn.Linear | nn.Conv2d


@dataclass(frozen=True)
class _Call:
    """What one layer read, averaged over positions, (2, D), and over how many positions."""

    name: str
    layer: Layer
    feature: Tensor
    positions: int


@torch.no_grad()
def find_head(net: nn.Module, input_size: tuple[int, int, int], num_classes: int | None = None) -> Head:
    """The head that makes the network's logits, proven on two random images: logits == head(features).

    Every linear layer and 1×1 convolution is a candidate, by what it does and not by its name. The last one whose output is the
    logits is the head; where it works on a map, averaging commutes with it, so the feature is the map's mean. Otherwise the
    last K candidates whose mean is the logits make one head: of the shared feature, or of the features side by side.

    Leaves the network in evaluation mode. Raises UnsupportedModelError with the reason where no linear head makes the logits, or
    where they are not ``num_classes`` many.
    """
    parameter = next(net.parameters(), torch.empty(0))
    images = torch.randn((2, *input_size), generator=torch.Generator().manual_seed(0)).to(parameter)
    calls: dict[str, _Call] = {}
    layers = {name: layer for name, layer in net.named_modules() if _is_candidate(layer)}
    with _reading(layers, lambda name, layer, feature, positions: _remember(calls, _Call(name, layer, feature, positions))):
        logits = _logits(net.eval(), images, num_classes)
    fitting = [call for call in calls.values() if call.layer.weight.shape[0] == logits.shape[1]]
    for call in reversed(fitting):
        if _makes(head := _head_of([call]), [call], logits):
            return head
    for count in range(2, len(fitting) + 1):
        if _makes(head := _head_of(fitting[-count:]), fitting[-count:], logits):
            return head
    raise UnsupportedModelError(_why_none(fitting, logits))


def features_and_logits(net: nn.Module, head: Head, batch: Tensor) -> tuple[Tensor, Tensor]:
    """What the head reads, (n, D), and what the network answers, (n, C), from one forward pass.

    Features of averaged heads lie side by side, as in ``head.weight``. Keeps whatever autocast, gradient mode and memory format
    the caller set.
    """
    features: dict[str, Tensor] = {}
    layers = {name: net.get_submodule(name) for name in head.layers}
    with _reading(layers, lambda name, _layer, feature, _positions: features.__setitem__(name, feature)):
        logits = net(batch)
    read = [features[name] for name in head.layers]
    return read[0] if head.shared or len(read) == 1 else torch.cat(read, dim=1), logits


Report = Callable[[str, Layer, Tensor, int], None]


@contextmanager
def _reading(layers: Mapping[str, nn.Module], report: Report) -> Iterator[None]:
    """While open, tell ``report`` what each of the layers reads: its name, itself, its input (n, D) and the positions behind it."""

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            assert isinstance(layer, Layer)
            if inputs:
                report(name, layer, *averaged(layer, inputs[0]))

        return hook

    handles = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def averaged(layer: Layer, inputs: Tensor) -> tuple[Tensor, int]:
    """(n, …, D) of a linear layer or (n, D, H, W) of a convolution to the mean over positions, (n, D), and their number."""
    rows = inputs.flatten(2).transpose(1, 2) if isinstance(layer, nn.Conv2d) else inputs.unsqueeze(1).flatten(1, -2)
    positions = rows.shape[1]
    if positions == 1:
        return rows[:, 0], 1
    half = rows.dtype in {torch.float16, torch.bfloat16}
    return rows.mean(1, dtype=torch.float32 if half else None), positions


def _is_candidate(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.groups == 1)


def _remember(calls: dict[str, _Call], call: _Call) -> None:
    calls.pop(call.name, None)  # so that the order is that of the last calls
    if len(call.feature) == 2:
        calls[call.name] = call


def _logits(net: nn.Module, images: Tensor, num_classes: int | None) -> Tensor:
    shape = tuple(images.shape)
    try:
        logits = net(images)
    except Exception as error:  # a stranger's network may raise anything
        why = first_line(error)
        raise UnsupportedModelError(f"the network can't process images {shape}: {why}; is the input size right?") from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 2:
        got = f"{tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise UnsupportedModelError(
            f"the network returns {got} for images {shape}, expected logits (2, C); wrap it so that it does"
        )
    if logits.shape[1] < 2 or num_classes not in {None, logits.shape[1]}:
        wanted = "at least 2" if num_classes is None else num_classes
        raise UnsupportedModelError(f"the network returns {logits.shape[1]} logits, expected {wanted}")
    if not logits.isfinite().all() or not logits.any():
        what = "0 throughout" if logits.isfinite().all() else "not finite"
        raise UnsupportedModelError(f"the network's logits are {what} on random images; is it trained, and its file whole?")
    return logits


def _head_of(calls: Sequence[_Call]) -> Head:
    """One head for layers whose outputs are averaged."""
    weights = [call.layer.weight.flatten(1) for call in calls]
    biases = [
        weight.new_zeros(len(weight)) if call.layer.bias is None else call.layer.bias
        for call, weight in zip(calls, weights, strict=True)
    ]
    shared = len(calls) > 1 and all(_is_same(call.feature, calls[0].feature) for call in calls)
    weight = torch.stack(weights).mean(0) if shared else torch.cat(weights, dim=1) / len(calls)
    shapes = {f"{call.name}.{name}": tuple(one.shape) for call in calls for name, one in call.layer.named_parameters(recurse=False)}
    return Head(weight.clone(), torch.stack(biases).mean(0), tuple(call.name for call in calls), shared, shapes)


def _is_same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


def _makes(head: Head, calls: Sequence[_Call], logits: Tensor) -> bool:
    features = calls[0].feature if head.shared else torch.cat([call.feature for call in calls], dim=1)
    terms = torch.stack([_sizes(call) for call in calls]).mean(0)
    return bool(((head(features) - logits).abs() <= TOLERANCE * logits.abs().max() + ROUNDING * terms).all())


def _sizes(call: _Call) -> Tensor:
    """What the terms of the layer's outputs, (2, C), add up to without their signs."""
    sizes = call.feature.abs() @ call.layer.weight.flatten(1).abs().T
    return sizes if call.layer.bias is None else sizes + call.layer.bias.abs()


def _why_none(calls: Sequence[_Call], logits: Tensor) -> str:
    count = logits.shape[1]
    if not calls:
        return (
            f"no linear layer makes the network's {count} outputs: it has no classifier; load one that has, or add a linear probe"
        )
    last = calls[-1]
    if len(calls) == 1 and last.positions > 1:
        scores = f"{last.name} scores each of {last.positions} positions"
        return f"{scores}, and the logits are not the mean of those scores: something non-linear lies between, so no linear head"
    if len(calls) == 1:
        return _after_the_last(last, logits)
    names = " and ".join(call.name for call in calls[-2:])
    others = f" (and {len(calls) - 2} layers before them)" if len(calls) > 2 else ""
    return f"{names}{others} make {count} outputs each, but the logits are neither one of these nor their mean: no linear head"


def _after_the_last(last: _Call, logits: Tensor) -> str:
    made = _head_of([last])(last.feature)
    for name, of_them in (("softmax", made.softmax(1)), ("log-softmax", made.log_softmax(1))):
        if torch.allclose(of_them, logits, rtol=1e-3, atol=1e-6):
            return f"the network returns the {name} of what {last.name} makes; take that off, so that it returns logits"
    count = logits.shape[1]
    return f"{last.name} makes {count} outputs, but the logits are not W·x + b of what it reads: no linear head makes them"
