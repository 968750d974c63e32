"""Pipelines of diffusers with random weights, small enough to sample in milliseconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from oodkit.synth.base import ImageClass, Request
from oodkit.synth.pipelines import Pipeline


def seeded(make: Any, **settings: Any) -> Any:
    torch.manual_seed(0)
    return make(**settings)


def unet(**settings: Any) -> Any:
    from diffusers import UNet2DModel

    blocks = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    small = {"sample_size": 8, "block_out_channels": (8, 8), "layers_per_block": 1, "norm_num_groups": 4, **blocks}
    return seeded(UNet2DModel, **{"in_channels": 3, "out_channels": 3, **small, **settings})


def vae() -> Any:
    from diffusers import AutoencoderKL

    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    return seeded(AutoencoderKL, block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, sample_size=16, **blocks)


def save_dit(folder: Path, classes: int = 1000, scheduler: str = "DDIMScheduler", **settings: Any) -> Path:
    """16 × 16 pixels, its class table wide enough that the class is seen in the image."""
    import diffusers

    small = {"num_attention_heads": 2, "attention_head_dim": 4, "in_channels": 4, "out_channels": 8, "num_layers": 1}
    network = seeded(
        diffusers.DiTTransformer2DModel, **small, norm_num_groups=4, sample_size=8, patch_size=2, num_embeds_ada_norm=classes
    )
    diffusers.DiTPipeline(network, vae(), getattr(diffusers, scheduler)(), **settings).save_pretrained(folder)
    return folder


def save_consistency(folder: Path, classes: int | None = 5) -> Path:
    from diffusers import CMStochasticIterativeScheduler, ConsistencyModelPipeline

    ConsistencyModelPipeline(unet(num_class_embeds=classes), CMStochasticIterativeScheduler()).save_pretrained(folder)
    return folder


def save_ddpm(folder: Path, scheduler: str = "DDPMScheduler", **settings: Any) -> Path:
    import diffusers

    diffusers.DDPMPipeline(unet(**settings), getattr(diffusers, scheduler)()).save_pretrained(folder)
    return folder


def save_text(folder: Path) -> Path:
    """A Stable Diffusion that reads letters; needs transformers."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder.mkdir()
    letters = [
        "<|startoftext|>",
        "<|endoftext|>",
        *(f"{letter}{end}" for letter in "abcdefghijklmnopqrstuvwxyz," for end in ("", "</w>")),
    ]
    tokens = folder / "letters"
    tokens.mkdir()
    (tokens / "vocab.json").write_text(str({letter: place for place, letter in enumerate(letters)}).replace("'", '"'))
    (tokens / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(tokens / "vocab.json"), str(tokens / "merges.txt"), model_max_length=16)
    text = CLIPTextConfig(
        vocab_size=len(letters),
        hidden_size=8,
        intermediate_size=8,
        num_attention_heads=2,
        num_hidden_layers=1,
        max_position_embeddings=16,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    network = seeded(
        UNet2DConditionModel,
        block_out_channels=(8, 8),
        layers_per_block=1,
        sample_size=8,
        in_channels=4,
        out_channels=4,
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    scheduler = DDIMScheduler(steps_offset=1, clip_sample=False)
    StableDiffusionPipeline(
        vae(), seeded(CLIPTextModel, config=text), tokenizer, network, scheduler, None, None, requires_safety_checker=False
    ).save_pretrained(folder / "pipeline")
    return folder / "pipeline"


def open_one(folders: dict[str, Path], name: str, **arguments: Any) -> Pipeline:
    steps = {} if name == "consistency" else {"num_inference_steps": 2}
    return Pipeline(str(folders[name]), device="cpu", **{**steps, **arguments})


def requests_of(generator: Pipeline, seeds: Sequence[int]) -> list[Request]:
    known = generator.classes or (
        (ImageClass("a", "cat", "small feline"), ImageClass("b", "owl")) if generator.conditional else (None,)
    )
    return [Request(known[seed % len(known)], 0, seed) for seed in seeds]


def made(generator: Pipeline, requests: Sequence[Request]) -> Tensor:
    return torch.stack([image for image in generator.generate(requests) if isinstance(image, Tensor)]).int()
