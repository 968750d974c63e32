"""BigGAN-deep as a generator of ImageNet's classes: noise of each image's own, in the best precision of the device."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from oodkit.errors import UsageError
from oodkit.forward import resolve_device
from oodkit.synth.base import Generator, ImageClass, Request
from oodkit.synth.biggan import load_biggan
from oodkit.synth.biggan_weights import FILES, Sizes
from oodkit.synth.classes import imagenet_classes
from oodkit.synth.weights_at import weights_at
from oodkit.wording import without_folders

LICENCE = "Apache-2.0"  # of DeepMind's biggan-deep-*/1 on TF-Hub, which the published files were converted from
ARCHIVE = "https://s3.amazonaws.com/models.huggingface.co/biggan/biggan-deep-{}-pytorch_model.bin"
PUBLISHED = {128: "hf:osanseviero/BigGAN-deep-128", 256: ARCHIVE.format(256), 512: ARCHIVE.format(512)}
CUT = math.erf(math.sqrt(2))  # of a normal distribution lies within ±2


class BigGAN(Generator):
    """BigGAN-deep with published weights, or with others of its layout.

    weights: a file, a folder, hf:OWNER/NAME[@REV] or a URL, with #sha256=HEX behind it if they are to be checked; by default those
    published for the size. truncation: in (0, 1]; 1 is the most diverse, less is prettier and more alike. dtype: of the
    convolutions; "auto" is bfloat16 on a GPU, float32 elsewhere.
    """

    title = "BigGAN-deep"

    def __init__(
        self,
        spec: str,
        *,
        device: str = "auto",
        size: Literal[128, 256, 512] = 256,
        weights: str = "",
        truncation: float = 1.0,
        dtype: Literal["auto", "float32", "bfloat16"] = "auto",
    ) -> None:
        raise NotImplementedError

    def generate(self, requests: Sequence[Request]) -> Tensor:
        raise NotImplementedError
