"""BigGAN-deep as a generator of ImageNet's classes: noise of each image's own, in the best precision of the device."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from oodkit.errors import CheckpointError, UsageError
from oodkit.forward import DTYPES, Dtype, resolve_device, resolve_dtype
from oodkit.synth.base import Generator, ImageClass, Request
from oodkit.synth.biggan import BigGAN as Network
from oodkit.synth.biggan import load_biggan
from oodkit.synth.biggan_weights import FILES
from oodkit.synth.classes import imagenet_classes
from oodkit.synth.pixels import finite_pixels
from oodkit.synth.precision import best_precision
from oodkit.synth.weights_at import weights_at
from oodkit.wording import printable

LICENCE = "Apache-2.0 (of the original weights)"  # DeepMind's biggan-deep-*/1 on TF-Hub, from which the published were converted
ARCHIVE = "https://s3.amazonaws.com/models.huggingface.co/biggan/biggan-deep-{}-pytorch_model.bin"
PUBLISHED = {128: "hf:osanseviero/BigGAN-deep-128", 256: ARCHIVE.format(256), 512: ARCHIVE.format(512)}
INSTEAD = "give the file: --generator-arg weights=PATH"
CUT = math.erf(math.sqrt(2))  # of a normal distribution lies within ±2


class BigGAN(Generator):
    """BigGAN-deep with the published weights, or with others of their layout. One pass of the network makes an image.

    Brock et al., arXiv:1809.11096. weights: a file, a folder, hf:OWNER/NAME[@REV] or a URL, with #sha256=HEX behind it if they are
    to be checked; by default those published for the size. truncation: in (0, 1], the range of the noise; 1 is the most diverse,
    less is prettier and more alike. dtype: of the convolutions; "auto" is bfloat16 where the device multiplies it in
    hardware (CUDA from 8.0 on, CPUs with AMX), float32 elsewhere.
    Raises UsageError for other settings, ModelNotFoundError and CheckpointError where the weights can't be had or are others.
    """

    title = "BigGAN-deep"

    def __init__(
        self,
        spec: str,
        *,
        device: str = "auto",
        size: Literal[128, 256, 512] = 256,
        weights: str | None = None,
        truncation: float = 1.0,
        dtype: Dtype = "auto",
    ) -> None:
        self.spec, self.size, self.truncation = spec, size, truncation
        if isinstance(truncation, str | bool) or not 0 < truncation <= 1:
            raise UsageError(f"{spec} takes a truncation above 0 and at most 1, got {truncation!r}")
        self.device = resolve_device(device)
        precision = best_precision(self.device) if dtype == "auto" else resolve_dtype(dtype)
        found = weights_at(weights or PUBLISHED[size], FILES, INSTEAD)
        net = load_biggan(found.place)
        if net.sizes.output_dim != size:
            got = f"{printable(found.name)} makes images of {net.sizes.output_dim} pixels, and {spec} is of {size}"
            raise CheckpointError(f"{got}; use --model biggan-deep-{net.sizes.output_dim} with it")
        self.net = _ready(net, DTYPES[precision]).to(self.device)
        self.classes = _classes(self.net.sizes.num_classes)
        self.licence = "unknown" if weights else LICENCE
        self.facts = {
            "weights": found.name,
            "sha256": found.sha256,
            "revision": found.revision,
            "truncation": float(truncation),
            "dtype": precision,
        }
        self.batch_size = max(1, (256 if self.device.type == "cuda" else 16) * 128**2 // size**2)

    @torch.no_grad()
    def generate(self, requests: Sequence[Request]) -> Tensor:
        labels = [self._label(request.of) for request in requests]
        noise = self.truncation * truncated_noise([request.seed for request in requests], self.net.sizes.z_dim)
        images: Tensor = self.net(noise.to(self.device), torch.tensor(labels, device=self.device), self.truncation)
        return finite_pixels(images, self.spec)

    def _label(self, of: ImageClass | None) -> int:
        if of is None:
            raise UsageError(f"{self.spec} needs a class for each image; name one of its own")
        if not 0 <= of.label < self.net.sizes.num_classes:
            raise UsageError(f"{self.spec} has no class {printable(of.name)!r}; choose among its own")
        return of.label


def truncated_noise(seeds: Sequence[int], count: int) -> Tensor:
    """(seeds, count) float32 of a normal distribution cut off at ±2, each row by its own seed, drawn on the CPU in float64."""
    rows = [torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return (math.sqrt(2) * torch.erfinv(CUT * (2 * torch.stack(rows) - 1))).float()


def _ready(net: Network, dtype: torch.dtype) -> Network:
    """Convolutions in their precision and in the order of memory that they are fastest in; all else stays in float32."""
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.to(dtype)
    return net.to(memory_format=torch.channels_last)


def _classes(count: int) -> tuple[ImageClass, ...]:
    """ImageNet-1k's where there are as many; else they have numbers only."""
    known = imagenet_classes()
    return known if len(known) == count else tuple(ImageClass(str(label), str(label), label=label) for label in range(count))
