"""Generators that diffusers runs: class-conditional, text-to-image and unconditional pipelines, told apart by their call."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

from oodkit.errors import GeneratorError, UnreadableImageError, UsageError
from oodkit.failures import is_out_of_memory
from oodkit.forward import DTYPES, Dtype, resolve_device
from oodkit.images.base import MOST_CLASSES
from oodkit.synth.base import Generator, ImageClass, Request
from oodkit.synth.pipeline_calls import as_pixels, call_of, guide_only_where_none_is_known
from oodkit.synth.pipeline_classes import classes_of
from oodkit.synth.pipeline_loading import load_pipeline, pipeline_class, quiet
from oodkit.synth.pipeline_schedulers import give_scheduler
from oodkit.synth.pipeline_source import (
    PUBLISHED,
    fetched,
    is_in_pixels,
    licence_of,
    place_of,
    read_index,
    require_runnable,
    revision_of,
)
from oodkit.synth.precision import fast_in_bf16
from oodkit.synth.prompts import TEMPLATE, prompt_of, require_template
from oodkit.wording import raised

SEEDS = ("image", "batch")
AT_ONCE = 32 * 256 * 256  # pixels of a batch on an accelerator; out of memory halves it
UNKNOWN_SIZE = 1024  # of images whose size the pipeline does not tell before it makes them


class Pipeline(Generator):
    """A pipeline of diffusers, on the hub or in a folder. Its call tells whether it makes images by class, by text or by neither.

    weights: OWNER/NAME[/SUBFOLDER][@REV] on the hub or a folder with model_index.json, where the name does not say it. pipeline:
    another class of diffusers to run it with. scheduler: by its class; a DiT takes only those whose images it can repeat. dtype:
    "auto" is bfloat16 on CUDA from 8.0 on, and there float32 weights under autocast where the network makes pixels itself; float32
    elsewhere, also on CPUs with AMX. variant: of the weight files, such as fp16. template: of the prompt, with {name} and
    {definition}. seeds: "batch" for a pipeline that takes one random generator only. num_classes: where it does not say it itself.
    call: what its own call takes, such as guidance_scale and num_inference_steps (for a DiT 1.5 and 25), and parts to be
    left out, such as safety_checker=null.
    Raises ModelNotFoundError where it is out of reach, CheckpointError where it can't be read, and UsageError for what it does not
    take, for code of its own that was not allowed, and where a package is missing.
    """

    title = "a diffusers pipeline"

    def __init__(
        self,
        spec: str,
        *,
        device: str = "auto",
        trust_remote_code: bool = False,
        weights: str = "",
        pipeline: str | None = None,
        scheduler: str | None = None,
        dtype: Dtype = "auto",
        variant: str | None = None,
        template: str = TEMPLATE,
        seeds: Literal["image", "batch"] = "image",
        num_classes: int | None = None,
        **call: Any,
    ) -> None:
        require_template(template)
        _require_one_of("dtype", dtype, ("auto", *DTYPES))
        _require_one_of("seeds", seeds, SEEDS)
        if num_classes is not None and not 1 <= num_classes <= MOST_CLASSES:
            raise UsageError(f"num_classes is from 1 to {MOST_CLASSES}, got {num_classes}")
        self.spec, self.template, self.device = spec, template, resolve_device(device)
        place = place_of(weights or spec)
        if published := pipeline or PUBLISHED.get(place.hub_id):
            _left_out(pipeline_class(published), call)
        index = read_index(place)
        require_runnable(place, index, trust_remote_code=trust_remote_code)
        made_by = pipeline_class(pipeline or index["_class_name"])
        self._of_diffusers = made_by is not None
        parts = _left_out(made_by, call)
        folder = fetched(place, trust_remote_code=trust_remote_code, variant=variant, without=list(parts))
        precision, self._autocast = _precision(dtype, self.device, in_pixels=is_in_pixels(index))
        self.pipe = load_pipeline(
            folder,
            made_by,
            device=self.device,
            dtype=precision,
            variant=variant,
            parts=parts,
            trust_remote_code=trust_remote_code,
        )
        self._call = call_of(type(self.pipe), call)
        with quiet():
            sampler = give_scheduler(self.pipe, scheduler)
        known = self._find_classes(index, num_classes, guided="guidance_scale" in call)
        self.seed_scope = "image" if self._call.takes_generator and seeds == "image" else "batch"
        self.size = self._side()
        self.batch_size = _at_once(self.size or UNKNOWN_SIZE, self.device)
        self.licence = licence_of(place, folder)
        self.facts = {
            **({"weights": place.name} if weights else {}),
            **revision_of(place, folder),
            "pipeline": self._call.name,
            "scheduler": sampler,
            "dtype": "bfloat16 autocast" if self._autocast else str(precision).removeprefix("torch."),
            "call": self._call.facts(),
            **known,
        }

    def generate(self, requests: Sequence[Request]) -> Sequence[Tensor | UnreadableImageError]:
        """uint8 (3, H, W) for each request, on the pipeline's device; an error for one that its safety checker withholds."""
        labels = [_of(one).label for one in requests] if self._call.kind == "class" else None
        prompts = [self.prompt(_of(one)) for one in requests] if self._call.kind == "text" else None
        said = self._call.batch(labels, prompts, len(requests))
        who = f"{self.spec} ({self._call.name})"
        try:
            with quiet(), torch.no_grad(), self._precisely(), self._seeded([one.seed for one in requests]) as drawn:
                found = self.pipe(**said, **drawn)
        except Exception as error:  # a pipeline may raise anything
            if is_out_of_memory(error):
                raise
            raise GeneratorError(f"{who} failed: {raised(error)}{self._way_out()}") from error
        pixels, withheld = as_pixels(found, len(requests), who)
        return [
            UnreadableImageError("withheld by the pipeline's safety checker") if hidden else image
            for image, hidden in zip(pixels, withheld, strict=True)
        ]

    def prompt(self, of: ImageClass) -> str:
        """What a text-to-image pipeline is told of a class; "" for others."""
        return prompt_of(self.template, of) if self._call.kind == "text" else ""

    def _way_out(self) -> str:
        """What to try where a pipeline failed that is not of diffusers, all of which take one random generator an image."""
        lists = self._of_diffusers or self.seed_scope == "batch"
        return "" if lists else "; if it takes no list of generators: --generator-arg seeds=batch"

    def _find_classes(self, index: Mapping[str, Any], num_classes: int | None, *, guided: bool) -> dict[str, str]:
        """Set what the images can be made of; the facts of it. guided: whether the user said how strongly."""
        call = self._call
        self.conditional, self.classes = call.kind != "plain", None
        if call.kind == "text":
            return {"template": self.template}
        if call.kind == "plain":
            return {}
        found = classes_of(self.pipe, index, num_classes)
        if found is not None:
            self.classes = found[0]
            guide_only_where_none_is_known(call, len(self.classes), asked=guided)
            return {"classes": found[1]}
        if call.parameters["class_labels"].default is not None:
            raise UsageError(f"{call.name} does not say how many classes it has; give --generator-arg num_classes=N")
        call.kind, self.conditional = "plain", False  # class labels are an option that these weights were trained without
        return {}

    def _side(self) -> int | None:
        """The side of the images; None where they are no squares, or where only the call itself decides."""
        arguments = self._call.arguments
        if "height" in arguments or "width" in arguments:
            height = arguments.get("height")
            return height if isinstance(height, int) and height == arguments.get("width") else None
        network = getattr(self.pipe, "transformer", None) or getattr(self.pipe, "unet", None)
        side = getattr(self.pipe, "default_sample_size", None) or getattr(getattr(network, "config", None), "sample_size", None)
        if not isinstance(side, int):
            return None
        vae = getattr(self.pipe, "vae", None)
        widths = getattr(getattr(vae, "config", None), "block_out_channels", None)
        factor = getattr(self.pipe, "vae_scale_factor", 1 if vae is None else 2 ** (len(widths) - 1) if widths else None)
        return side * factor if factor else None

    def _precisely(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16) if self._autocast else nullcontext()

    @contextmanager
    def _seeded(self, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
        """The keywords that make the noise follow from the seeds; drawn on the CPU, so that a GPU's kind does not matter.

        One random generator for each image: DiTPipeline and DDPMPipeline take a list of any length without a word, and would share
        or drop some.
        """
        if self.seed_scope == "image":
            yield {"generator": [torch.Generator().manual_seed(seed) for seed in seeds]}
        elif self._call.takes_generator:
            yield {"generator": torch.Generator().manual_seed(seeds[0])}
        else:
            with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
                torch.manual_seed(seeds[0])
                yield {}


def _left_out(made_by: type | None, call: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parts that the pipeline is to do without; a wrong argument is told, before gigabytes are fetched."""
    return call_of(made_by, call).parts if made_by else {}


def _precision(dtype: Dtype, device: torch.device, *, in_pixels: bool) -> tuple[torch.dtype, bool]:
    """The precision of the weights, and whether the network computes in bfloat16 all the same.

    A pipeline keeps its image in the precision of its weights, and what a sampler rounds at each step adds up where it works on
    pixels: of a small DDPM on digits, 200 steps of DDIM in bfloat16 were off by 3.2 of 255 levels on average, and by 1.2 where only
    the network computed in bfloat16; 50 steps by 0.9 and 0.6.
    """
    if dtype != "auto":
        return DTYPES[dtype], False
    if device.type != "cuda" or not fast_in_bf16(device):
        return torch.float32, False
    return (torch.float32, True) if in_pixels else (torch.bfloat16, False)


def _at_once(side: int, device: torch.device) -> int:
    return max(1, min(256 if device.type == "cuda" else 16, AT_ONCE // (side * side)))


def _of(request: Request) -> ImageClass:
    if request.of is None:
        raise GeneratorError("asked for an image of no class, and this generator makes images by class; give --classes or --like")
    return request.of


def _require_one_of(what: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UsageError(f"no {what} {value!r}; choose from {', '.join(choices)}")
