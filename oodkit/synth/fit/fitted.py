"""A fitted diffusion model as a generator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from oodkit.errors import CheckpointError, UsageError
from oodkit.forward import DTYPES, resolve_device
from oodkit.run_folder import FINISHED, FIT, Document, in_words
from oodkit.synth.base import Generator, ImageClass, Request
from oodkit.synth.fit.folder import UNET_WEIGHTS, is_finished, read_fit
from oodkit.synth.fit.sampler import GUIDANCE, STEPS, sample
from oodkit.synth.fit.stored import load_denoiser
from oodkit.synth.pixels import finite_pixels
from oodkit.synth.precision import best_precision
from oodkit.synth.weights_at import sha256_of
from oodkit.wording import printable

BATCH = {"cpu": 64, "cuda": 512}


class FittedDiffusion(Generator):
    """What ``oodkit synth fit`` left in a folder, which makes images of the classes that it was trained on.

    steps: passes of the network, 2 or more; 20 are enough for images of this size. guidance: 1 = none, in half the time; above,
    images are more typical of their class and more alike. dtype: "auto" is bfloat16 where the device multiplies it in
    hardware (CUDA from 8.0 on, CPUs with AMX), float32 elsewhere.
    Raises UsageError for other settings and for a folder without a finished fit, CheckpointError where it is damaged.
    """

    title = "diffusion model fitted to one's own images"

    def __init__(
        self,
        spec: str | Path,
        *,
        device: str | torch.device = "auto",
        steps: int = STEPS,
        guidance: float = GUIDANCE,
        dtype: Literal["auto", "float32", "bfloat16"] = "auto",
    ) -> None:
        self.spec, folder = str(spec), Path(spec)
        _require(self.spec, steps, guidance, dtype)
        document = _finished(folder)
        self.device = resolve_device(str(device))
        precision = best_precision(self.device) if dtype == "auto" else dtype
        self.denoiser = load_denoiser(folder, document["network"])
        self.denoiser.to(self.device, DTYPES[precision]).to(memory_format=torch.channels_last)
        self.classes = _classes(folder, document)
        self.size = int(document["network"]["side"])
        self.steps, self.guidance = steps, float(guidance)
        self.licence = "as the images it was fitted to"
        self.facts = {
            "sha256": sha256_of(folder / UNET_WEIGHTS),
            "steps": steps,
            "guidance": self.guidance,
            "dtype": precision,
        }
        self.batch_size = BATCH.get(self.device.type, 64)

    def generate(self, requests: Sequence[Request]) -> Tensor:
        """uint8 (N, 3, H, W). Raises UsageError for a class that is none of ``classes``, GeneratorError for NaN."""
        assert self.classes is not None
        labels = [-1 if request.of is None else request.of.label for request in requests]
        known = {one.label for one in self.classes}
        if unknown := [request.of for request, label in zip(requests, labels, strict=True) if label not in known]:
            name = "none" if unknown[0] is None else printable(repr(unknown[0].name))
            raise UsageError(f"{self.spec} has {len(self.classes)} classes, got {name}; choose among its own")
        seeds = [request.seed for request in requests]
        images = sample(self.denoiser, labels, seeds, steps=self.steps, guidance=self.guidance)
        return finite_pixels(images, self.spec)


def _finished(folder: Path) -> Document:
    """What fit.json says of the folder's fit."""
    named = printable(str(folder))
    document = read_fit(folder) if (folder / FIT).is_file() else None
    if document is None:
        raise UsageError(f"{named} has no {FIT}; oodkit synth fit --data SET -o DIR makes such a folder")
    if document["status"] != FINISHED:
        raise UsageError(f"the fit in {named} is not finished; the same oodkit synth fit goes on with it")
    if not is_finished(folder, document):
        raise CheckpointError(f"the weights are missing: {named} has no {UNET_WEIGHTS}; the same oodkit synth fit makes it again")
    return document


def _classes(folder: Path, document: Document) -> tuple[ImageClass, ...]:
    """As fit.json has them, which may be a stranger's, or damaged."""
    with in_words(folder / FIT):
        classes = tuple(ImageClass(**one) for one in document["classes"])
        for one in classes:
            if not all(isinstance(text, str) for text in (one.folder, one.name, one.definition)):
                raise TypeError(one)
            if one.label not in range(document["network"]["classes"]):
                raise ValueError(one)
    return classes


def _require(spec: str, steps: object, guidance: object, dtype: object) -> None:
    if not isinstance(steps, int) or isinstance(steps, bool) or not 2 <= steps <= 1000:
        raise UsageError(f"{spec} takes steps from 2 to 1000, got {steps!r}")
    if not isinstance(guidance, int | float) or isinstance(guidance, bool) or not 0 <= guidance <= 100:
        raise UsageError(f"{spec} takes a guidance from 0 to 100, 1 = none, got {guidance!r}")
    if dtype not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"{spec} takes a dtype of auto, float32 or bfloat16, got {dtype!r}")
