"""The two changes of a network that a file of its weights may name: a stem for small images, and a normalised last layer."""

from collections.abc import Mapping

from torch import Tensor, nn

from oodkit.errors import CheckpointError, UsageError

SMALL_STEM, NORMALISED = "small", "normalised"
DEEPEST = 3  # convolutions of a stem, ResNet-D's


class Normalise(nn.Module):
    """Features (n, D) divided by their Euclidean norms."""

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.normalize(features, dim=1)


def small_stem(net: nn.Module) -> None:
    """Let the stem keep the resolution, in place: its first convolution becomes 3×3 with stride 1, the max-pool after it goes.

    So ResNets are built for images of 32 pixels (He et al., CVPR 2016, section 4.2), OpenOOD's ``resnet18_32x32`` among them. The
    new weights are drawn from torch's global generator as ResNets draw theirs. Raises UsageError for a network without such a stem.
    """
    name, conv = _first_convolution(net)
    pool = _pool_after(net, name)
    if conv.kernel_size == (3, 3):
        conv.stride, conv.padding = (1, 1), (1, 1)
    else:
        smaller = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1, bias=conv.bias is not None).to(conv.weight)
        nn.init.kaiming_normal_(smaller.weight, mode="fan_out", nonlinearity="relu")
        net.set_submodule(name, smaller, strict=True)
    if pool is not None:
        net.set_submodule(pool, nn.Identity(), strict=True)


def has_stem(net: nn.Module) -> bool:
    """Whether ``small_stem`` has something to change."""
    try:
        _first_convolution(net)
    except UsageError:
        return False
    return True


def normalised_head(net: nn.Module, name: str) -> nn.Linear:
    """Let the linear layer of that name read features of length 1, in place; returns the layer, which is ``NAME.1`` then."""
    layer = net.get_submodule(name)
    if not isinstance(layer, nn.Linear):
        raise UsageError(f"a normalised head is made of a linear layer, and {name} is a {type(layer).__name__}")
    net.set_submodule(name, nn.Sequential(Normalise(), layer), strict=True)
    return layer


def adapt(net: nn.Module, state: Mapping[str, Tensor], stem: str | None, head: str | None) -> None:
    """Change an untrained network as a file says that the network of its weights ``state`` was changed.

    Raises CheckpointError where it can't have been.
    """
    if stem == SMALL_STEM:
        try:
            small_stem(net)
        except UsageError as error:
            raise CheckpointError(f"the checkpoint says that its stem is small, but {error}") from error
    if head == NORMALISED:
        _normalise_as_in(net, state)


def _normalise_as_in(net: nn.Module, state: Mapping[str, Tensor]) -> None:
    linear = [name for name, layer in net.named_modules() if isinstance(layer, nn.Linear)]
    found = [name for name in linear if f"{name}.1.weight" in state and f"{name}.weight" not in state]
    if len(found) != 1:
        raise CheckpointError(f"the checkpoint says that its head is normalised, but {len(found)} of its layers are; expected one")
    normalised_head(net, found[0])


def _first_convolution(net: nn.Module) -> tuple[str, nn.Conv2d]:
    """The stem's. Raises UsageError, which says why there is nothing to change, with the way out."""
    kind = type(net).__name__
    way_out = "leave its stem as it is (--stem own), with images as large as it expects"
    found = next(((name, layer) for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d)), None)
    if found is None:
        raise UsageError(f"{kind} has no convolution, so no stem to make small; {way_out}")
    name, conv = found
    if conv.stride == (1, 1):
        raise UsageError(f"{kind} has no stem to make small: its first convolution {name} has stride 1 already; {way_out}")
    if conv.stride[0] >= conv.kernel_size[0]:
        raise UsageError(f"{kind} has no stem to make small: {name} cuts images into patches of {conv.stride[0]} pixels; {way_out}")
    if _branches(net, conv):
        raise UsageError(f"{kind} has a stem that can't be made small: several convolutions read the image; {way_out}")
    if conv.groups != 1 or (type(conv) is not nn.Conv2d and conv.kernel_size != (3, 3)):
        raise UsageError(f"{kind} has a stem that can't be made small: {name} is a {type(conv).__name__}; {way_out}")
    return name, conv


def _branches(net: nn.Module, first: nn.Conv2d) -> bool:
    """Whether the second convolution reads what the first does, and not what it makes."""
    second = next((layer for layer in net.modules() if isinstance(layer, nn.Conv2d) and layer is not first), first)
    return second is not first and second.in_channels == first.in_channels != first.out_channels


def _pool_after(net: nn.Module, stem: str) -> str | None:
    """What halves the map that the stem has made, where there is such a layer: a max-pool, or what ResNets have by that name."""
    if isinstance(getattr(net, "maxpool", None), nn.Module):
        return "maxpool"
    names: list[str] = list(dict(net.named_modules()))
    convolutions = 0
    for name in names[names.index(stem) :]:
        layer = net.get_submodule(name)
        convolutions += isinstance(layer, nn.Conv2d)
        if convolutions > DEEPEST:
            return None
        if isinstance(layer, nn.MaxPool2d):
            return name
    return None
