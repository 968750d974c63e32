"""Models that a function of the user's own builds: ``py:MODULE:FUNCTION``, with MODULE a dotted name or the path of a .py file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor, nn

from oodkit.code_identity import without_addresses
from oodkit.errors import InputError, UsageError
from oodkit.models.base import AUGDELETE, Loaded, Options, Size, Transform
from oodkit.models.preprocessing import overrides, timm_transform
from oodkit.models.state import fit_state, read_state, without_prefixes
from oodkit.models.user_code import found_function, importable, source_hash


def load_function(name: str, options: Options) -> Loaded:
    """A network that a function returns: a module, or a module and its transform. ``options.checkpoint`` holds its weights.

    Without a transform of its own, images are resized to ``options.input_size`` (bilinear, shorter side, centre crop) and
    normalised by ``mean`` and ``std``, which are ImageNet's where nothing is said.
    """
    options.refuse(name, "arch")
    net, own = _made(name, options.model_args)
    about = {"source": "python", "architecture": name.removeprefix("py:"), "weights": "as the function returned them"}
    refitted = False
    if options.checkpoint is not None:
        state, metadata, taken = read_state(options.checkpoint, allow_pickle=options.allow_pickle)
        fit_state(net, without_prefixes(state, net.state_dict()), name)
        about |= {"weights": str(options.checkpoint), **({"taken": taken} if taken else {})}
        refitted = metadata.get("method") == AUGDELETE
    if own is not None:
        if (options.input_size, options.mean, options.std) != (None, None, None):
            raise UsageError(f"{name} returns a transform of its own: leave out --input-size, --mean and --std")
        return Loaded(name, net, own, own.size(), {"transform": repr(own)}, about=about, refitted=refitted)
    if options.input_size is None:
        raise UsageError(f"{name} needs --input-size (such as 32): a network of your own does not say what images it takes")
    transform, preprocessing = timm_transform(_config(options))
    if options.mean is None or options.std is None:
        preprocessing["assumed"] = "ImageNet's mean and std; --mean and --std say otherwise"
    return Loaded(name, net, transform, options.input_size, preprocessing, about=about, refitted=refitted)


class OwnTransform:
    """The user's transform, with a stable name: what it is, and a hash of the file that its function stands in.

    origin: the model's name, with a file's whole path, and the function's arguments. Pickled it is these two: a worker process
    that starts afresh has no module of the user's, and lambdas can't be pickled at all. It calls the function once more.
    """

    def __init__(self, transform: Transform, source: str, origin: tuple[str, Mapping[str, Any]]) -> None:
        self.transform, self.source, self.origin = transform, source, origin

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, Mapping[str, Any]]]:
        return _made_again, self.origin

    def __call__(self, image: Image.Image) -> Tensor:
        return self.transform(image)

    def __repr__(self) -> str:
        told = getattr(self.transform, "__qualname__", None) or without_addresses(repr(self.transform))
        return f"{' '.join(told.split())} (source {self.source})"

    def size(self) -> Size:
        """(channels, height, width) of what it makes. Raises InputError where that is no image tensor."""
        try:
            made = self(Image.new("RGB", (256, 192)))
        except Exception as error:  # a stranger's transform may raise anything
            raise InputError(f"the transform {self!r} raised {type(error).__name__} on an RGB image: {error}") from error
        if not isinstance(made, Tensor) or made.ndim != 3:
            raise InputError(f"the transform {self!r} returned {_kind_of(made)}, expected a tensor (channels, height, width)")
        return made.shape[0], made.shape[1], made.shape[2]


def _made(name: str, model_args: Mapping[str, Any]) -> tuple[nn.Module, OwnTransform | None]:
    module, function = found_function(name, "py:nets/cifar.py:resnet20")
    with importable(Path.cwd()):
        made = _called(name, function, model_args)
    net, own = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(net, nn.Module) or not (own is None or callable(own)):
        raise InputError(f"{name} returned {_kind_of(made)}, expected a torch module, or a module and a transform")
    return net, None if own is None else OwnTransform(own, source_hash(module), (_whole(name), model_args))


def _made_again(name: str, model_args: Mapping[str, Any]) -> OwnTransform:
    _, own = _made(name, model_args)
    assert own is not None
    return own


def _whole(name: str) -> str:
    """The name with a file's whole path, which holds in any working folder."""
    where, _, function = name.removeprefix("py:").rpartition(":")
    return f"py:{Path(where).resolve()}:{function}" if where.endswith(".py") else name


def _config(options: Options) -> dict[str, Any]:
    from timm.data import resolve_data_config

    return {**resolve_data_config(overrides(options)), "interpolation": options.interpolation or "bilinear"}


def _called(name: str, function: Callable[..., Any], model_args: Mapping[str, Any]) -> Any:
    try:
        return function(**model_args)
    except Exception as error:  # a stranger's function may raise anything
        raise InputError(f"{name} raised {type(error).__name__}: {error}") from error


def _kind_of(value: object) -> str:
    return f"a {type(value).__name__}"
