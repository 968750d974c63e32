"""How a diffusers pipeline is called: what it can be told, by its signature, and what it gave, as uint8 pixels."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from oodkit.errors import GeneratorError, UsageError

Kind = Literal["class", "text", "plain"]

# What oodkit itself says in each call; a user's word there would change which images are made, or how many.
OURS = frozenset(
    {"prompt", "class_labels", "generator", "output_type", "return_dict", "batch_size", "num_images_per_prompt", "latents"}
    | {"callback", "callback_on_step_end", "image"}
)
# Guidance of 4.0, a DiT's own default, is tuned for looks; images to train on are better near 1.5, where its FID is best
# (Peebles and Xie 2023, arXiv 2212.09748, table 4).
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"DiTPipeline": {"guidance_scale": 1.5, "num_inference_steps": 25}}
TOLD = ("num_inference_steps", "guidance_scale")  # the pipeline's own defaults of these belong to what made the images


@dataclass
class Call:
    """How a pipeline is called, by its class.

    kind: what says which images: class labels, a prompt, or nothing. arguments: of each call. parts: of the pipeline that are given
    otherwise than its files say: None, or a switch.
    """

    name: str
    parameters: Mapping[str, inspect.Parameter]
    kind: Kind
    arguments: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)

    @property
    def takes_generator(self) -> bool:
        return "generator" in self.parameters

    def facts(self) -> dict[str, Any]:
        """The arguments, and the pipeline's own defaults of those that decide most."""
        own = {name: self.parameters[name].default for name in TOLD if name in self.parameters}
        return {
            **{name: value for name, value in own.items() if value is not inspect.Parameter.empty},
            **self.arguments,
            **self.parts,
        }

    def batch(self, labels: Sequence[int] | None, prompts: Sequence[str] | None, count: int) -> dict[str, Any]:
        """The keywords of the call that makes ``count`` images, but for the random generators."""
        said = dict(self.arguments)
        if labels is not None:
            said["class_labels"] = list(labels)
        if prompts is not None:
            said["prompt"] = list(prompts)
            for name, value in said.items():  # next to a list of prompts some pipelines refuse a single text
                if isinstance(value, str) and name.startswith(("negative_prompt", "prompt_")):
                    said[name] = [value] * count
        fixed = {"batch_size": count, "output_type": "pt", "return_dict": True}  # "np" and "pil" can't be made of bfloat16
        return said | {name: value for name, value in fixed.items() if name in self.parameters}


def call_of(pipeline: type, given: Mapping[str, Any]) -> Call:
    """What a pipeline's class can be told, and what the user tells it.

    Raises UsageError for an argument that it does not take, with near names, and for one that oodkit says itself.
    """
    parameters = _parameters(pipeline.__call__)
    kind: Kind = "class" if "class_labels" in parameters else "text" if "prompt" in parameters else "plain"
    call = Call(pipeline.__name__, parameters, kind, {**DEFAULTS.get(pipeline.__name__, {})})
    parts = dict(inspect.signature(pipeline).parameters)
    for name, value in given.items():
        if name in OURS:
            what = "which images it makes, and how many, is said by --classes, --count, --seed and --batch-size"
            raise UsageError(f"{name} can't be given to {call.name}: {what}")
        if name in parameters or _takes_any(pipeline.__call__):
            call.arguments[name] = value
        elif name in parts:
            call.parts[name] = _left_out(call, name, value)
        else:
            raise _unknown(call, name, [*set(parameters) - OURS, *parts])
    if call.arguments.get("timesteps") is not None and "num_inference_steps" in parameters:
        call.arguments["num_inference_steps"] = None  # the two exclude each other
    return call


def guide_only_where_none_is_known(call: Call, classes: int, *, asked: bool) -> None:
    """Take guidance from a DiT of other than 1,000 classes: to DiTPipeline no class is number 1,000, whatever it is to the network.

    asked: whether the user said it. Raises UsageError then.
    """
    if call.name != "DiTPipeline" or classes == 1000 or call.arguments["guidance_scale"] <= 1:
        return
    if asked:
        raise UsageError(f"{call.name} can't guide a network of {classes} classes, only of 1,000: leave out guidance_scale")
    call.arguments["guidance_scale"] = 1.0


def as_pixels(found: object, count: int, who: str) -> tuple[Tensor, list[bool]]:
    """What a pipeline returned, as uint8 (N, 3, H, W), and which images its safety checker withheld.

    Raises GeneratorError for another number of images, for what are none, and for values that are no numbers in [0, 1].
    """
    pixels = _tensor(getattr(found, "images", found[0] if isinstance(found, tuple) and found else found), who)
    if pixels.ndim != 4 or pixels.shape[1] not in {1, 3}:
        raise GeneratorError(f"{who} returned a tensor {tuple(pixels.shape)}, expected images ({count}, 3, height, width)")
    if len(pixels) != count:
        raise GeneratorError(f"{who} returned {len(pixels)} images for {count} that it was asked for")
    if not torch.isfinite(pixels).all():
        raise GeneratorError(f"{who} returned images with NaN or infinite values; try --generator-arg dtype=float32")
    low, high = float(pixels.min()), float(pixels.max())
    if low < -1e-2 or high > 1 + 1e-2:
        raise GeneratorError(f"{who} returned values from {low:.2f} to {high:.2f}, expected 0 to 1")
    withheld = getattr(found, "nsfw_content_detected", None) or [False] * count
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8).expand(-1, 3, -1, -1), [bool(one) for one in withheld]


def _tensor(images: object, who: str) -> Tensor:
    """float32 (N, C, H, W) of a tensor, an array (N, H, W, C) or a list of PIL images, as pipelines of strangers may return."""
    if isinstance(images, Tensor):
        return images.float()
    if isinstance(images, list) and images and all(isinstance(one, Image.Image) for one in images):
        images = np.stack([np.asarray(one.convert("RGB"), np.float32) / 255 for one in images])
    if isinstance(images, np.ndarray) and images.ndim == 4:
        return torch.from_numpy(images).permute(0, 3, 1, 2).float()
    raise GeneratorError(f"{who} returned a {type(images).__name__}, expected a tensor of images")


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    varying = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    said = inspect.signature(function).parameters
    return {name: one for name, one in said.items() if name != "self" and one.kind not in varying}


def _takes_any(function: Callable[..., Any]) -> bool:
    return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in inspect.signature(function).parameters.values())


def _left_out(call: Call, name: str, value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise UsageError(f"{name} is a part of {call.name}, which can be left out: --generator-arg {name}=null; got {value!r}")


def _unknown(call: Call, name: str, known: Sequence[str]) -> UsageError:
    near = get_close_matches(name, known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"it takes {', '.join(sorted(set(call.parameters) - OURS)) or 'none'}"
    return UsageError(f"{call.name} takes no argument {name!r}; {hint}")
