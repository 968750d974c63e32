"""What is to be fitted, checked and settled before anything is: the images, the network's shape and the numbers."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from oodkit.errors import ImageSetError, UnreadableImageError, UsageError
from oodkit.forward import resolve_device
from oodkit.images.base import ImageSet
from oodkit.images.synthesis import require_finished
from oodkit.processes import world_size
from oodkit.specs import LARGEST as LARGEST_WHOLE
from oodkit.specs import checked_settings
from oodkit.synth.base import ImageClass
from oodkit.synth.classes import numbered_classes
from oodkit.synth.fit.denoiser import GROUPS, Architecture
from oodkit.synth.precision import fast_in_bf16
from oodkit.training.augment import TrainTransform
from oodkit.training.draws import draws_of
from oodkit.training.pools import Pool, real_pool
from oodkit.training.settings import SMALL, Amp, Settings
from oodkit.wording import counted, printable

LOOKED_AT = 256  # images, evenly spaced over the set, for their size and the strength of their pixels
WHOLE, GRID = 16, 32  # the side up to which every pixel is seen by itself; beyond, the patches a side that are seen at most
LARGEST = 256  # pixels: beyond, patches of a thirty-second of the side hold more than so small a network can draw
HALF = (0.5, 0.5, 0.5)  # mean and standard deviation that bring pixels to [−1, 1]


@dataclass(frozen=True)
class FitSettings:
    """How long and how fast. epochs: passes over the images; None = as many as show the network ``shown`` images, by their size.

    batch_size: images a process in each step. lr: the largest learning rate, of AdamW. warmup: epochs of linear rise. ema: keep an
    average of the weights, which then is the fitted network. flip: mirror images at random. amp: None = bf16 where the device that
    trains multiplies it in hardware (CUDA from 8.0 on, CPUs with AMX), else no. The ranges are ``training.settings.Settings``'s.
    """

    epochs: int | None = None
    batch_size: int = 64
    lr: float = 1e-3
    weight_decay: float = 0.0
    warmup: float | None = None
    ema: bool = True
    amp: Amp | None = None
    flip: bool = True
    seed: int = 0

    def settled(self, images: int, side: int, device: torch.device) -> Settings:
        """Of the training loop. Raises UsageError where a number lies outside its range."""
        epochs = max(1, math.ceil(shown(side) / images)) if self.epochs is None else self.epochs
        warmup = min(1.0, epochs / 20) if self.warmup is None else self.warmup
        amp = self.amp or ("bf16" if fast_in_bf16(device) else "no")
        return Settings(**{**asdict(self), "epochs": epochs, "warmup": warmup, "amp": amp, "optimizer": "adamw"})


@dataclass(frozen=True)
class FitPlan:
    """A fit that can begin.

    pool: the images. classes: those that have images, label = their index. asked: all that decides what comes of it, as JSON has
    it: by this a fit of before is known again. notes: what is to be said.
    """

    pool: Pool
    classes: tuple[ImageClass, ...]
    architecture: Architecture
    settings: Settings
    asked: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.settings.epochs * draws_of(self.settings, self.pool, None, None, world=world_size()).steps_per_epoch


def plan_fit(
    data: ImageSet,
    *,
    size: int | None = None,
    patch: int | None = None,
    channels: int | None = None,
    device: str = "auto",
    **settings: Any,
) -> FitPlan:
    """Settle a fit. data, size, patch, channels, settings: as ``fit_generator`` takes them. device: it is to be trained on.

    Raises UsageError or ImageSetError, in one line, for what can't be fitted, a synthesis that is not finished among it.
    """
    _require_whole(settings)
    checked = FitSettings(**checked_settings("fit", {"fit": FitSettings}, "fit", settings))
    require_finished(data)
    pool = real_pool(data)
    names = data.class_names or [str(label) for label in range(int(pool.labels.max()) + 1)]
    side = _own_side(data) if size is None else size
    patch = default_patch(side) if patch is None else patch
    _require_shape(side, patch, channels)
    widths = _widths(side // patch, channels or default_channels(side, patch))
    settled = checked.settled(len(pool), side, resolve_device(device))
    strength, largest = _measured(data, side)
    architecture = Architecture(side, patch, widths, len(names), strength)
    asked = {
        "size": side,
        "network": asdict(architecture),
        "settings": asdict(checked) | {name: getattr(settled, name) for name in ("epochs", "warmup", "amp")},
        "sets": {"data": {"spec": data.spec, "fingerprint": data.fingerprint()}},
        "processes": world_size(),
    }
    classes = tuple(one for one in numbered_classes(names) if (pool.labels == one.label).any())
    notes = tuple(_notes(pool, names, settled, side, largest))
    return FitPlan(pool, classes, architecture, settled, json.loads(json.dumps(asked)), notes)


def shown(side: int) -> int:
    """How many images, counted each time, the network is shown by default: what makes a first useful generator of that size."""
    return 100_000 if side < WHOLE else 300_000 if side == WHOLE else 600_000


def default_patch(side: int) -> int:
    """1 up to 16 pixels, else 2, or the smallest power of two that leaves at most 32 patches a side.

    Larger patches are faster and learn far worse.
    """
    patch = 1 if side <= WHOLE else 2
    while side > GRID * patch:
        patch *= 2
    return patch


def default_channels(side: int, patch: int) -> int:
    """The width of the network at the full size: what a patch holds has to fit through."""
    return 128 if patch > 2 else 32 if side < WHOLE else 64


def _require_whole(settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        if isinstance(value, int) and value > LARGEST_WHOLE:
            raise UsageError(f"{name} must be from 0 to {LARGEST_WHOLE}, got {value}")


def _require_shape(side: int, patch: int, channels: int | None) -> None:
    if not 4 <= side <= LARGEST:
        raise UsageError(f"the side of the images that are made is from 4 to {LARGEST} pixels, got {side}; give another --size")
    if patch < 1 or side < 4 * patch or side % (2 * patch):
        nearest = max(4 * patch, 2 * patch * round(side / (2 * patch))) if patch >= 1 else side
        rule = f"an even number of patches a side, four or more: {side} pixels are none of {patch} × {patch}"
        raise UsageError(f"the network takes {rule}; give --size {nearest}, or another --patch")
    if channels is not None and (channels < GROUPS or channels % GROUPS):
        raise UsageError(f"channels, the width of the network, is a multiple of {GROUPS}, got {channels}")


def _widths(grid: int, channels: int) -> tuple[int, ...]:
    """The channels of each resolution, halved down to 4 patches a side, twice as many from the second on."""
    depth = 1
    while grid % 2 == 0 and grid > 4 and depth < 4:
        grid, depth = grid // 2, depth + 1
    return (channels, *(2 * channels,) * (depth - 1))


def _some(data: ImageSet) -> Iterator[Image.Image]:
    """Up to 256 images. Raises ImageSetError where none of them can be read."""
    read, reason = 0, ""
    for index in np.unique(np.linspace(0, len(data) - 1, LOOKED_AT).astype(int)).tolist():
        try:
            yield data.load(index)
            read += 1
        except UnreadableImageError as error:
            reason = f"{data.image_name(index)}: {error}"
    if not read:
        raise ImageSetError(f"no image of {data.spec} that was tried can be read, such as {printable(reason)}; look at the set")


def _own_side(data: ImageSet) -> int:
    (width, height), *others = sorted({image.size for image in _some(data)})
    if not others and width == height <= SMALL:
        return width
    found = f"of {width} × {height} pixels" if not others else f"of several sizes, from {width} × {height} pixels on"
    raise UsageError(f"the images of {data.spec} are {found}: say what side, in pixels, is to be made, such as --size 32")


def _measured(data: ImageSet, side: int) -> tuple[float, int]:
    """The root mean square of the pixels in [−1, 1], to three digits; EDM has 0.5 for photos. And the largest shorter side.

    The former is about 0, since equation 7 scales images that keep their mean.
    """
    show, squares, largest = TrainTransform(side, False, HALF, HALF, shift=False), [], 0
    for image in _some(data):
        squares.append(float(show(image)[0].double().square().mean()))
        largest = max(largest, min(image.size))
    return max(0.05, round(math.sqrt(math.fsum(squares) / len(squares)), 3)), largest


def _notes(pool: Pool, names: Sequence[str], settings: Settings, side: int, largest: int) -> Iterator[str]:
    """largest: the shorter side, in pixels, of the largest of the images."""
    if largest > side:
        yield (
            f"images of up to {largest} pixels a side are reduced to {side}: what is made is as blurred as they are then, "
            "which oodkit synth quality tells beside the real ones"
        )
    if settings.flip:
        yield "images are mirrored at random, and so are those that are made: --no-flip for digits, letters and the like"
    counts = np.bincount(pool.labels, minlength=len(names))
    if empty := int((counts == 0).sum()):
        example = printable(repr(names[int(counts.argmin())]))
        yield f"{counted(empty, 'class has', 'classes have')} no image, such as {example}, and so none can be made"
    if len(pool) * settings.epochs < settings.batch_size * 500:
        yield "the training has fewer than 500 steps, after which images are still blurs: more --epochs, or a smaller --batch-size"
