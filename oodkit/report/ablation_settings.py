"""The settings of an ablation's trainings in words."""

from collections.abc import Mapping
from typing import Any

WORDS = {
    "lr": "learning rate",
    "norm_weight_decay": "weight decay of normalisation layers",
    "ema": "average of the weights",
    "amp": "half precision",
    "repeats": "repeats of an image",
    "alpha": "share of real images",
    "outlier_batch": "outliers in a step",
    "flip": "mirrored at random",
    "augdelete": "AugDelete as a part of the recipe",
    "model_args": "model arguments",
}


def settings_in_words(settings: Mapping[str, Any]) -> list[str]:
    """A line for the baseline's, without those that are not set, then one for each recipe that has others."""
    whole = _line({key: value for key, value in settings.items() if key != "of_recipes" and value not in (None, {})})
    others: Mapping[str, Any] = settings.get("of_recipes", {})
    return [line for line in (whole, *(f"{recipe}: {_line(own)}" for recipe, own in others.items())) if line]


def _line(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{WORDS.get(key, key.replace('_', ' '))} {_value(key, value)}" for key, value in settings.items())


def _value(key: str, value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "not set", True: "yes", False: "no"}[value]
    if isinstance(value, Mapping):
        return " ".join(f"{name}={one}" for name, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return " × ".join(map(str, value)) if key == "input_size" else f"({', '.join(map(_number, value))})"
    return _number(value)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
