"""What a pipeline is told follows from its signature, and what it gave is held against what was asked for."""

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from oodkit.errors import GeneratorError, UsageError
from oodkit.synth.pipeline_calls import as_pixels, call_of


class ByClass:
    def __init__(self, unet: Any, safety_checker: Any = None, requires_safety_checker: bool = True) -> None: ...

    def __call__(
        self, batch_size=1, class_labels=None, num_inference_steps=4, timesteps=None, generator=None, output_type="pil", eta=0.5
    ) -> None: ...


class ByText:
    def __init__(self, unet: Any) -> None: ...

    def __call__(self, prompt=None, negative_prompt=None, prompt_2=None, height=None, guidance_scale=7.5, **others) -> None: ...


class Plain:
    def __init__(self, unet: Any) -> None: ...

    def __call__(self, batch_size=1, num_inference_steps=1000, output_type="pil", return_dict=True) -> None: ...


@pytest.mark.parametrize(("pipeline", "kind"), [(ByClass, "class"), (ByText, "text"), (Plain, "plain")])
def test_the_kind_follows_from_the_signature(pipeline: type, kind: str) -> None:
    assert call_of(pipeline, {}).kind == kind


def test_each_call_is_told_only_what_it_takes() -> None:
    assert call_of(ByClass, {"eta": 0}).batch([3, 1], None, 2) == {
        "eta": 0, "class_labels": [3, 1], "batch_size": 2, "output_type": "pt"
    }  # fmt: skip
    assert call_of(ByText, {}).batch(None, ["a cat"], 1) == {"prompt": ["a cat"]}
    assert call_of(Plain, {}).batch(None, None, 5) == {"batch_size": 5, "output_type": "pt", "return_dict": True}


def test_a_text_for_all_images_is_given_once_an_image() -> None:
    """Stable Diffusion refuses a text beside a list of prompts."""
    told = call_of(ByText, {"negative_prompt": "blurry", "prompt_2": "x", "others": "y"}).batch(None, ["a", "b"], 2)
    assert told == {"prompt": ["a", "b"], "negative_prompt": ["blurry"] * 2, "prompt_2": ["x"] * 2, "others": "y"}


def test_steps_and_timesteps_exclude_each_other() -> None:
    assert call_of(ByClass, {"timesteps": [22, 0], "num_inference_steps": 1}).arguments == {
        "timesteps": [22, 0], "num_inference_steps": None
    }  # fmt: skip


def test_parts_are_left_out_and_switched_by_their_names() -> None:
    call = call_of(ByClass, {"safety_checker": None, "requires_safety_checker": False})
    assert call.parts == {"safety_checker": None, "requires_safety_checker": False}
    assert call.arguments == {}


def test_the_facts_hold_the_pipelines_own_defaults_of_what_decides_most() -> None:
    assert call_of(Plain, {}).facts() == {"num_inference_steps": 1000}
    assert call_of(ByText, {"height": 64}).facts() == {"guidance_scale": 7.5, "height": 64}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_inference_step": 4}, "ByClass takes no argument 'num_inference_step'; did you mean num_inference_steps?"),
        ({"zzz": 4}, "ByClass takes no argument 'zzz'; it takes eta, num_inference_steps, timesteps"),
        ({"unet": "x"}, "unet is a part of ByClass, which can be left out: --generator-arg unet=null; got 'x'"),
        (
            {"generator": 4},
            (
                "generator can't be given to ByClass: which images it makes, and how many, is said by "
                "--classes, --count, --seed and --batch-size"
            ),
        ),
    ],
)
def test_what_a_pipeline_does_not_take_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        call_of(ByClass, given)
    assert str(caught.value) == message


def test_pixels_are_rounded_and_grey_ones_have_three_channels() -> None:
    """0.5 · 255 = 127.5 rounds to the even 128; 0.302 · 255 = 77.01."""
    pixels, withheld = as_pixels(SimpleNamespace(images=torch.tensor([0.0, 0.5, 0.302, 1.0]).reshape(4, 1, 1, 1)), 4, "p")
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (4, 3, 1, 1)
    assert pixels[:, 2].flatten().tolist() == [0, 128, 77, 255]
    assert withheld == [False] * 4


def test_arrays_and_pictures_are_read_too() -> None:
    """Channels last, as numpy and PIL have them: red is the first channel."""
    red = np.zeros((1, 2, 5, 3), np.float32)
    red[..., 0] = 1
    for images in (red, [Image.fromarray((red[0] * 255).astype(np.uint8))]):
        pixels, _ = as_pixels(SimpleNamespace(images=images), 1, "p")
        assert pixels.shape == (1, 3, 2, 5)
        assert pixels.float().mean((0, 2, 3)).tolist() == [255, 0, 0]


def test_a_withheld_image_is_told() -> None:
    _, withheld = as_pixels(SimpleNamespace(images=torch.zeros(2, 3, 4, 4), nsfw_content_detected=[False, True]), 2, "p")
    assert withheld == [False, True]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 3, 4, 4), "p returned 1 images for 2 that it was asked for"),
        (torch.zeros(2, 4, 4, 4), "p returned a tensor (2, 4, 4, 4), expected images (2, 3, height, width)"),
        (torch.zeros(3, 4, 4), "p returned a tensor (3, 4, 4), expected images (2, 3, height, width)"),
        (torch.full((2, 3, 4, 4), torch.nan), "p returned images with NaN or infinite values; try --generator-arg dtype=float32"),
        (torch.linspace(-1, 1, 96).reshape(2, 3, 4, 4), "p returned values from -1.00 to 1.00, expected 0 to 1"),
        ("a string", "p returned a str, expected a tensor of images"),
        ([], "p returned a list, expected a tensor of images"),
    ],
)
def test_what_are_no_images_is_one_line(images: object, message: str) -> None:
    with pytest.raises(GeneratorError, match=f"^{re.escape(message)}$"):
        as_pixels(SimpleNamespace(images=images), 2, "p")
