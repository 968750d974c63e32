"""Pipelines of diffusers as generators: by class, by text and without; each image by its own seed."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from oodkit.errors import CheckpointError, GeneratorError, UnreadableImageError, UsageError
from oodkit.synth import GENERATORS, imagenet_classes, make_generator, pipelines
from oodkit.synth.base import ImageClass, Request
from oodkit.synth.pipelines import Pipeline

from .tiny_pipelines import made, open_one, requests_of, save_consistency, save_ddpm, save_dit

needs_transformers = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is of the extra text, not of tests")
EVERY = [
    ("dit", {}),
    ("dit", {"guidance_scale": 1.0}),
    ("consistency", {}),
    ("consistency", {"timesteps": [22, 0]}),
    ("ddpm", {}),
    ("ddpm", {"pipeline": "DDIMPipeline"}),
    ("ddim", {}),
    pytest.param("text", {}, marks=needs_transformers),
    pytest.param("text", {"negative_prompt": "blurry", "guidance_scale": 3}, marks=needs_transformers),
]


@pytest.mark.parametrize(("name", "arguments"), EVERY)
def test_an_image_is_the_same_alone_in_another_batch_and_another_order(
    folders: dict[str, Path], name: str, arguments: dict[str, Any]
) -> None:
    """To one level of 255: the arithmetic of a batch rounds otherwise, by 1e-6 of the range."""
    generator = open_one(folders, name, **arguments)
    assert generator.seed_scope == "image"
    requests = requests_of(generator, (7, 12, 2**63 - 1))
    images = made(generator, requests)
    assert images.shape == (3, 3, generator.size, generator.size)
    assert (images[0] - images[1]).abs().max() > 8
    alone = torch.cat([made(generator, [one]) for one in requests])
    assert (images - alone).abs().max() <= 1
    assert (images != alone).float().mean() < 0.01  # 1e-6 of the range turns one value of 2,000 to another level
    assert (images.flip(0) - made(generator, requests[::-1])).abs().max() <= 1
    assert (images - made(open_one(folders, name, **arguments), requests)).abs().max() <= 1


@pytest.mark.parametrize("name", ["dit", "consistency", pytest.param("text", marks=needs_transformers)])
def test_the_class_decides_beside_the_seed(folders: dict[str, Path], name: str) -> None:
    generator = open_one(folders, name)
    first, second = (one.of for one in requests_of(generator, (0, 1)))
    same = made(generator, [Request(first, 0, 5), Request(first, 1, 5), Request(second, 0, 5)])
    assert torch.equal(same[0], same[1])
    assert not torch.equal(same[0], same[2])


def test_what_a_dit_is_by_default(folders: dict[str, Path]) -> None:
    """Guidance of 1.5 and 25 steps of DPM-Solver, of ImageNet's classes; images of 8 latents × 2."""
    generator = Pipeline(str(folders["dit"]), device="cpu")
    assert generator.classes == imagenet_classes()
    assert generator.conditional
    assert generator.size == 16
    assert generator.facts["call"] == {"num_inference_steps": 25, "guidance_scale": 1.5}
    assert generator.facts["scheduler"] == "DPMSolverMultistepScheduler"
    assert generator.facts["dtype"] == "float32"
    assert len(generator.facts["fingerprint"]) == 64
    assert generator.licence == "unknown"
    assert json.loads(json.dumps(generator.facts)) == generator.facts


def test_guidance_needs_the_class_of_none_where_dit_looks_for_it(tmp_path: Path) -> None:
    """DiTPipeline takes 1,000 for no class, whatever the network's own number of it."""
    folder = save_dit(tmp_path / "dit", classes=10)
    generator = Pipeline(str(folder), device="cpu", num_inference_steps=1)
    assert generator.facts["call"]["guidance_scale"] == 1.0
    assert len(made(generator, requests_of(generator, (1, 2)))) == 2
    assert Pipeline(str(folder), device="cpu", guidance_scale=0.5).facts["call"]["guidance_scale"] == 0.5
    with pytest.raises(UsageError) as caught:
        Pipeline(str(folder), device="cpu", guidance_scale=1.5)
    assert str(caught.value) == "DiTPipeline can't guide a network of 10 classes, only of 1,000: leave out guidance_scale"


def test_a_consistency_model_without_classes_is_unconditional(tmp_path: Path) -> None:
    generator = Pipeline(str(save_consistency(tmp_path / "c", classes=None)), device="cpu")
    assert (generator.conditional, generator.classes) == (False, None)
    assert made(generator, requests_of(generator, (1, 2))).shape == (2, 3, 8, 8)


def test_grey_networks_make_images_of_three_channels(tmp_path: Path) -> None:
    generator = Pipeline(str(save_ddpm(tmp_path / "d", in_channels=1, out_channels=1)), device="cpu", num_inference_steps=1)
    images = made(generator, requests_of(generator, (1, 2)))
    assert torch.equal(images[:, 0], images[:, 2])


@needs_transformers
def test_a_text_pipeline_makes_what_a_name_says(folders: dict[str, Path]) -> None:
    generator = open_one(folders, "text", template="{name}! {definition}", height=24, width=24)
    assert (generator.conditional, generator.classes) == (True, None)
    assert generator.prompt(ImageClass("a", "cat", "small feline")) == "cat! small feline"
    assert generator.facts["template"] == "{name}! {definition}"
    assert made(generator, requests_of(generator, (1,))).shape == (1, 3, 24, 24)
    assert generator.size == 24
    assert open_one(folders, "text", height=24, width=16).size is None
    assert open_one(folders, "text", width=None).size is None


@needs_transformers
def test_a_text_encoder_that_lacks_a_tensor_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(folders["text"], tmp_path / "copy")
    weights = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(weights)
    tensors.pop(next(name for name in sorted(tensors) if name.endswith("fc1.weight")))
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(CheckpointError, match="are incomplete"):
        Pipeline(str(folder), device="cpu")


def test_an_image_that_the_safety_checker_withholds_is_an_error_in_its_place(folders: dict[str, Path]) -> None:
    generator = open_one(folders, "ddpm")
    found = SimpleNamespace(images=torch.zeros(2, 3, 8, 8), nsfw_content_detected=[True, False])
    generator.pipe = lambda **_: found
    hidden, image = generator.generate(requests_of(generator, (1, 2)))
    assert isinstance(hidden, UnreadableImageError)
    assert str(hidden) == "withheld by the pipeline's safety checker"
    assert isinstance(image, Tensor)


def test_what_a_pipeline_raises_is_one_line_and_a_want_of_memory_is_left_as_it_is(folders: dict[str, Path]) -> None:
    generator = open_one(folders, "ddpm")
    requests = requests_of(generator, (1,))

    def failing(error: Exception) -> Any:
        def call(**_: object) -> None:
            raise error

        return call

    generator.pipe = failing(KeyError("steps\nand more"))
    with pytest.raises(GeneratorError) as caught:
        generator.generate(requests)
    assert str(caught.value) == f"{folders['ddpm']} (DDPMPipeline) failed: KeyError: 'steps\\nand more'"
    generator.pipe = failing(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(torch.OutOfMemoryError):
        generator.generate(requests)


def test_an_image_of_no_class_is_refused_by_a_generator_of_classes(folders: dict[str, Path]) -> None:
    with pytest.raises(GeneratorError, match="asked for an image of no class"):
        open_one(folders, "dit").generate([Request(None, 0, 1)])


def test_one_seed_a_batch_for_a_pipeline_that_takes_one_generator_only(folders: dict[str, Path]) -> None:
    generator = open_one(folders, "ddpm", seeds="batch")
    assert generator.seed_scope == "batch"
    requests = requests_of(generator, (5, 6))
    images = made(generator, requests)
    assert torch.equal(images, made(generator, requests))
    assert not torch.equal(images[1], made(generator, requests[1:])[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "int8"}, "no dtype 'int8'; choose from auto, float32, bfloat16, float16"),
        ({"seeds": "each"}, "no seeds 'each'; choose from image, batch"),
        ({"template": "a {x}"}, "the template 'a {x}' has {x}; it takes {name} and {definition}"),
        ({"guidance": 2}, "DiTPipeline takes no argument 'guidance'; did you mean guidance_scale?"),
        ({"pipeline": "DiTPipelin"}, "has no pipeline 'DiTPipelin'; did you mean DiTPipeline"),
        ({"num_classes": -5}, "num_classes is from 1 to 1000000, got -5"),
        ({"device": "cudda"}, "no device 'cudda'; use auto, cpu, cuda, cuda:1 or mps"),
    ],
)
def test_a_wrong_setting_is_one_line(folders: dict[str, Path], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Pipeline(str(folders["dit"]), **{"device": "cpu", **arguments})
    assert message in str(caught.value)


@pytest.mark.parametrize("name", [name for name, one in GENERATORS.items() if one.made_by == "pipelines:Pipeline"])
def test_a_wrong_argument_of_a_published_one_is_told_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(pipelines, "read_index", lambda place: pytest.fail("it fetches"))
    with pytest.raises(UsageError, match=r"Pipeline takes no argument 'bogus'; it takes .*num_inference_steps"):
        make_generator(name, device="cpu", bogus=2)


@pytest.mark.parametrize(
    ("name", "folder", "pipeline", "conditional"),
    [
        ("dit-256", "dit", "DiTPipeline", True),
        ("dit-512", "dit", "DiTPipeline", True),
        ("consistency-imagenet64", "consistency", "ConsistencyModelPipeline", True),
        ("ddpm-cifar10", "ddpm", "DDIMPipeline", False),
    ],
)
def test_a_named_generator_with_a_copy_of_its_weights(
    folders: dict[str, Path], name: str, folder: str, pipeline: str, conditional: bool
) -> None:
    """Its licence is not that of the published weights, which these may not be."""
    generator = make_generator(name, device="cpu", weights=str(folders[folder]), num_inference_steps=1)
    assert isinstance(generator, Pipeline)
    assert generator.facts["weights"] == str(folders[folder])
    assert (generator.facts["pipeline"], generator.conditional, generator.licence) == (pipeline, conditional, "unknown")
    assert len(made(generator, requests_of(generator, (1,)))) == 1
