"""Models by torchvision's names: ``torchvision:resnet50/IMAGENET1K_V2``, or ``torchvision:resnet50`` for its default weights."""

import http.client
import sys
from typing import Any

from torch import nn

from oodkit.errors import ModelNotFoundError, UnsupportedModelError, UsageError
from oodkit.models.base import Loaded, Options
from oodkit.models.names import torchvision_names, unknown_model
from oodkit.models.preprocessing import torchvision_transform
from oodkit.models.reach import patient_sockets, require_url
from oodkit.wording import in_short

AUXILIARY = ("googlenet", "inception_v3")  # they start from random weights slowly, and warn, unless told not to


def load_name(name: str, options: Options) -> Loaded:
    """``torchvision:ARCH/WEIGHTS``, with the weights' own transform."""
    from torchvision.models import get_model

    options.refuse(name, "arch", "checkpoint")
    arch, weights = weights_of(name)
    if not weights.meta.get("categories"):
        raise UnsupportedModelError(f"{name} is no classifier: these weights are features only; choose other weights of {arch}")
    full = f"torchvision:{arch}/{weights.name}"
    require_url(full, weights.url, f"torchvision:{arch}")
    try:
        with patient_sockets():
            net = get_model(arch, weights=weights, progress=sys.stderr.isatty(), **options.model_args)
    except (OSError, http.client.HTTPException) as error:
        raise ModelNotFoundError(f"can't download the weights of {full} from {weights.url}: {error}; try again") from error
    except RuntimeError as error:
        if "hash value" not in str(error):
            raise
        raise ModelNotFoundError(f"what came from {weights.url} is not whole: {error}; try again") from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"can't build {full} with {in_short(dict(options.model_args))}: {in_short(error)}") from error
    transform, size, preprocessing = torchvision_transform(weights, options)
    about = {"source": "torchvision", "architecture": arch, "origin_url": weights.url}
    return Loaded(full, net, transform, size, preprocessing, tuple(weights.meta["categories"]), None, about)


def weights_of(name: str) -> tuple[str, Any]:
    """Architecture and weights enum of ``torchvision:ARCH[/WEIGHTS]``. Raises ModelNotFoundError, with what there is."""
    from torchvision.models import get_model_weights

    arch, _, wanted = name.removeprefix("torchvision:").partition("/")
    if arch not in torchvision_names():
        raise unknown_model(name)
    enum = get_model_weights(arch)
    if wanted and wanted not in enum.__members__:
        raise ModelNotFoundError(f"torchvision has no weights {wanted!r} for {arch}; it has: {', '.join(one.name for one in enum)}")
    return arch, enum[wanted or "DEFAULT"]


def build(name: str, options: Options, **arguments: Any) -> nn.Module:
    """An untrained network of ``torchvision:ARCH[/WEIGHTS]``; where its image size is fixed, of the size that it will be given."""
    from torchvision.models import get_model

    arch, weights = weights_of(name)
    _, (_, height, width), _ = torchvision_transform(weights, options)
    if arch.startswith("vit_"):
        arguments["image_size"] = height
    elif arch.startswith("maxvit_"):
        arguments["input_size"] = (height, width)
    given = {**({"init_weights": False} if arch in AUXILIARY else {}), **arguments, **options.model_args}
    try:
        net = get_model(arch, weights=None, **given)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise UsageError(f"can't build torchvision:{arch} with {in_short(given)}: {in_short(error)}") from error
    assert isinstance(net, nn.Module)
    return net
