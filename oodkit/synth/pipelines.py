"""Generators that diffusers runs: class-conditional, text-to-image and unconditional pipelines, told apart by their call."""

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from oodkit.errors import UsageError
from oodkit.synth.base import Generator, ImageClass, Request

DtypeName = Literal["auto", "float32", "bfloat16", "float16"]
TEMPLATE = "a photo of a {name}, {definition}"


class Pipeline(Generator):
    """A diffusers pipeline, by hub id or from a local folder.

    spec: as the user spelled it. weights: ``OWNER/NAME[@REV]`` on the hub or a local folder with model_index.json; "" where the spec
    itself says so, ``diffusers:ID[@REV]`` or a path. pipeline: another class of diffusers to run it with. scheduler: of diffusers,
    by name. template: of the prompt, with {name} and {definition}. seeds: "batch" for a pipeline that takes one random generator
    only. call: what the pipeline's own call takes, or parts of it (safety_checker) that are to be left out, checked here. Raises
    ModelNotFoundError where it is out of reach, CheckpointError where it can't be read, and UsageError for what it does not take.
    """

    title = "a diffusers pipeline"

    def __init__(  # noqa: PLR0913 (what a pipeline is made of; each is a setting of the command line)
        self,
        spec: str,
        *,
        device: str = "auto",
        trust_remote_code: bool = False,
        weights: str = "",
        pipeline: str | None = None,
        scheduler: str | None = None,
        dtype: DtypeName = "auto",
        variant: str | None = None,
        template: str = TEMPLATE,
        seeds: Literal["image", "batch"] = "image",
        **call: Any,
    ) -> None:
        raise UsageError(f"{spec}: diffusers pipelines are not ready yet")

    def generate(self, requests: Sequence[Request]) -> Sequence[Tensor]:
        """uint8 (N, 3, H, W) in the order of the requests, on the pipeline's device."""
        raise NotImplementedError

    def prompt(self, of: ImageClass) -> str:
        """What a text-to-image pipeline is told of a class; "" for others."""
        raise NotImplementedError
