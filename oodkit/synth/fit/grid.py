"""A picture of what a fit makes: a row a class, always of the same seeds, so that one sees it learn."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from oodkit.atomic import write_atomically
from oodkit.synth.base import ImageClass
from oodkit.synth.fit.denoiser import Denoiser
from oodkit.synth.fit.sampler import GUIDANCE, STEPS, sample
from oodkit.synth.pixels import as_pixels
from oodkit.synth.seeds import seed_of

ROWS, COLUMNS = 10, 8
SMALLEST = 48  # pixels of an image in the picture, of which the smallest are enlarged by a whole factor
GAP = 4  # white pixels between images


def write_grid(path: Path, denoiser: Denoiser, classes: Sequence[ImageClass]) -> None:
    """Write the picture of the first ten classes as a PNG, whole or not at all. Raises OodkitError where that can't be written."""
    shown = classes[:ROWS]
    labels = [one.label for one in shown for _ in range(COLUMNS)]
    seeds = [seed_of(0, one.folder, index) for one in shown for index in range(COLUMNS)]
    images = sample(denoiser, labels, seeds, steps=STEPS, guidance=GUIDANCE)
    picture = Image.fromarray(_tiled(as_pixels(images).cpu(), len(shown)))
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG"))


def _tiled(images: Tensor, rows: int) -> np.ndarray:
    """(rows · columns, 3, H, W) as one picture, (H', W', 3), of whole pixels, with a white gap around each image."""
    larger = max(1, -(-SMALLEST // images.shape[-1]))
    whole = images.repeat_interleave(larger, 2).repeat_interleave(larger, 3)
    framed = pad(whole, (0, GAP, 0, GAP), value=255)
    _, channels, height, width = framed.shape
    tiles = framed.view(rows, -1, channels, height, width).permute(2, 0, 3, 1, 4).reshape(channels, rows * height, -1)
    pixels: np.ndarray = pad(tiles, (GAP, 0, GAP, 0), value=255).permute(1, 2, 0).numpy()
    return pixels
