"""Which models there are, and which one was probably meant."""

from difflib import get_close_matches
from functools import cache

from oodkit.errors import ModelNotFoundError
from oodkit.wording import without_folders


@cache
def torchvision_names() -> tuple[str, ...]:
    """All classification architectures of torchvision."""
    from torchvision import models

    return tuple(models.list_models(module=models))


@cache
def torchvision_weights() -> tuple[str, ...]:
    """``torchvision:ARCH/WEIGHTS`` of everything that torchvision has classifier weights for."""
    from torchvision.models import get_model_weights

    return tuple(
        f"torchvision:{arch}/{weights.name}"
        for arch in torchvision_names()
        for weights in get_model_weights(arch)
        if weights.meta.get("categories")
    )


def demo_names() -> tuple[str, ...]:
    """The checkpoints that ship with oodkit, as ``demo:NAME``."""
    from importlib.resources import files

    shipped = (file.name for file in files("oodkit.demo").iterdir())
    return tuple(sorted("demo:" + name.removesuffix(".safetensors") for name in shipped if name.endswith(".safetensors")))


def portable(name: str) -> str:
    """The name as it is loaded, of a path its last part."""
    scheme = next((one for one in ("local-dir:", "py:") if name.startswith(one)), "")
    return f"{scheme}{without_folders(name.removeprefix(scheme))}"


def unknown_model(name: str) -> ModelNotFoundError:
    """The error for a name that is nothing, with the nearest names that are something."""
    import timm

    arch = name.removeprefix("torchvision:").partition(".")[0].partition("/")[0]
    named = {**{one: f"torchvision:{one}" for one in torchvision_names()}, **{one: one for one in timm.list_models()}}
    if name.startswith("torchvision:"):
        named = {one: f"torchvision:{one}" for one in torchvision_names()}
    elif arch in torchvision_names():
        return ModelNotFoundError(f"timm has no model {name!r}; torchvision has: torchvision:{arch}")
    near = [named[match] for match in get_close_matches(arch.lower(), named, n=3, cutoff=0.6)]
    hint = f"did you mean {', '.join(near)}?" if near else "oodkit list models 'resnet*' shows names"
    return ModelNotFoundError(f"no model {name!r}; {hint}")
