"""Evaluation transforms, and the same in words and numbers."""

import math
from collections.abc import Mapping
from typing import Any

from oodkit.errors import UsageError
from oodkit.models.base import Options, Size, Transform

SHOWN = ("input_size", "interpolation", "crop_mode", "crop_pct", "mean", "std")


def timm_transform(config: Mapping[str, Any]) -> tuple[Transform, dict[str, Any]]:
    """The evaluation transform that timm makes of a data config, and its description. One input channel means a grey image."""
    from timm.data import create_transform
    from torchvision.transforms import Compose, Grayscale

    channels = config["input_size"][0]
    if not len(config["mean"]) == len(config["std"]) == channels:
        got = f"mean {tuple(config['mean'])} and std {tuple(config['std'])}"
        raise UsageError(f"a network with {channels} input channels needs --mean and --std of {channels} numbers each, got {got}")
    transform = create_transform(**config, is_training=False)
    if channels == 1:
        transform = Compose([Grayscale(), *transform.transforms])
    return transform, {key: listed(config[key]) for key in SHOWN if key in config}


def overrides(options: Options) -> dict[str, Any]:
    """What was said of the preprocessing, as entries of a timm data config.

    An input size without a crop means the whole image at that size: nothing is cut from its shorter side.
    """
    config = {key: getattr(options, key) for key in SHOWN if key != "crop_mode"}
    if options.input_size is not None and options.crop_pct is None:
        config["crop_pct"] = 1.0
    return {key: value for key, value in config.items() if value is not None}


def torchvision_transform(weights: Any, options: Options) -> tuple[Transform, Size, dict[str, Any]]:
    """The transform of a torchvision weights enum, the size it gives, and its description."""
    from torchvision.transforms import InterpolationMode

    said = overrides(options)
    given: dict[str, Any] = {key: said[key] for key in ("mean", "std") if key in said}
    given |= {"interpolation": InterpolationMode(said["interpolation"])} if "interpolation" in said else {}
    if options.input_size is not None:
        channels, height, width = options.input_size
        if channels != 3 or height != width:
            raise UsageError(f"torchvision's transform makes square colour images, got input size {options.input_size}")
        given |= {"crop_size": height, "resize_size": math.floor(height / said["crop_pct"])}
    elif options.crop_pct is not None:
        given |= {"resize_size": math.floor(weights.transforms().crop_size[0] / options.crop_pct)}
    transform = weights.transforms(**given)
    size = (3, transform.crop_size[0], transform.crop_size[0])
    described = {
        "input_size": list(size),
        "interpolation": transform.interpolation.value,
        "resize_size": transform.resize_size[0],
        "mean": list(transform.mean),
        "std": list(transform.std),
    }
    return transform, size, described


def listed(value: Any) -> Any:
    """Tuples as lists, so that what was written to JSON and read back is equal."""
    return list(value) if isinstance(value, tuple) else value
