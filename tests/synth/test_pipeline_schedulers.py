"""A pipeline runs only with samplers that it starts and repeats rightly."""

import json
from pathlib import Path

import pytest
import torch

from oodkit.errors import UsageError
from oodkit.synth.base import Request
from oodkit.synth.pipelines import Pipeline

from .tiny_pipelines import save_ddpm, save_dit

REPEATING = ("DDIMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler")


@pytest.fixture(scope="module")
def dit(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_dit(tmp_path_factory.mktemp("dit"), scheduler="EulerDiscreteScheduler"))


@pytest.fixture(scope="module")
def ddpm(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_ddpm(tmp_path_factory.mktemp("ddpm"), scheduler="EulerDiscreteScheduler"))


@pytest.mark.parametrize("name", [None, *REPEATING])
def test_a_dit_repeats_its_images(dit: str, name: str | None) -> None:
    """Whatever the folder says: its sampler here starts at the wrong noise."""
    generator = Pipeline(dit, device="cpu", scheduler=name, num_inference_steps=3)
    assert generator.facts["scheduler"] == (name or REPEATING[1])
    requests = [_request(generator, seed) for seed in (1, 2)]
    first, second = (torch.stack(list(generator.generate(requests))) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_a_dit_repeats_its_images_where_its_folder_asks_for_a_solver_that_draws(tmp_path: Path) -> None:
    folder = save_dit(tmp_path / "dit", scheduler="DPMSolverMultistepScheduler")
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "algorithm_type": "sde-dpmsolver++"}))
    generator = Pipeline(str(folder), device="cpu", num_inference_steps=4)
    first, second = (generator.generate([_request(generator, 1)])[0] for _ in range(2))
    assert isinstance(first, torch.Tensor)
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    "name", ["DDPMScheduler", "EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler", "HeunDiscreteScheduler"]
)
def test_a_dit_is_refused_samplers_that_it_misuses(dit: str, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        Pipeline(dit, device="cpu", scheduler=name)
    assert str(caught.value) == (
        f"DiTPipeline can't repeat the images of {name}; --generator-arg scheduler= takes {', '.join(REPEATING)}"
    )


def test_a_ddpm_starts_at_the_right_noise_or_not_at_all(ddpm: str) -> None:
    """Euler starts from 157 times the noise that DDPMPipeline draws."""
    with pytest.raises(UsageError) as caught:
        Pipeline(ddpm, device="cpu")
    message = "DDPMPipeline starts EulerDiscreteScheduler at the wrong noise level; use --generator-arg scheduler=DDIMScheduler"
    assert str(caught.value) == message
    assert Pipeline(ddpm, device="cpu", scheduler="DDPMScheduler").facts["scheduler"] == "DDPMScheduler"
    assert Pipeline(ddpm, device="cpu", pipeline="DDIMPipeline").facts["scheduler"] == "DDIMScheduler"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("DDIMSheduler", "diffusers has no scheduler 'DDIMSheduler'; did you mean DDIMScheduler"),
        ("DiTPipeline", "diffusers has no scheduler 'DiTPipeline'; choose from DDIMScheduler, DDPMScheduler, DEIS"),
        ("zzz", "diffusers has no scheduler 'zzz'; choose from DDIMScheduler, DDPMScheduler, DEIS"),
    ],
)
def test_a_sampler_that_is_not_there_is_one_line_with_near_names(dit: str, name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Pipeline(dit, device="cpu", scheduler=name)
    assert str(caught.value).startswith(message)


def _request(generator: Pipeline, seed: int) -> Request:
    assert generator.classes is not None
    return Request(generator.classes[seed], 0, seed)
