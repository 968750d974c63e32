"""PixMix: each image mixed, pixel by pixel, with pictures of intricate structure and with augmented copies of itself."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from oodkit.errors import InputError, UnreadableImageError, UsageError
from oodkit.images.base import ImageSet
from oodkit.training.recipes.base import Recipe, View
from oodkit.training.settings import SMALL

DRAWS = 10  # pictures tried for one image before the mixing set counts as unreadable


@dataclass
class PixMix(Recipe):
    """L = −log softmax(v)[y] on images to which up to ``k`` others were added or multiplied; labels stay.

    It starts from the image or, as often, from one operation on it, with pixels in [0, 1]. Then, 0 to ``k`` times, it adds or
    multiplies, as often, another operation on the image or, as often, the one picture drawn for it from ``--mixing SET``, such as
    fractals. Added, u and w become a · u + b · w of pixels brought to [−1, 1]; multiplied, u^a · w^b of pixels brought to [0, 2];
    with a ~ Beta(beta, 1) and b ~ Beta(1, beta) or, as often, a ~ 1 + Beta(1, beta) and b ~ −Beta(1, beta). What lies outside is
    cut off.

    Hendrycks et al., PixMix: Dreamlike Pictures Comprehensively Improve Safety Measures, CVPR 2022, arXiv:2112.05135.
    k: 0 or more, 4 in the authors' code and OpenOOD v1.5. beta: above 0, the larger the weaker each mixing; none = 3 up to 64
    pixels and 4 above. severity: of the operations, 1 to 10; none = 3 up to 64 pixels and 1 above. Both are OpenOOD's for CIFAR and
    ImageNet-200. The picture's shorter side is made 9/8 of the image's, and a crop taken at random.

    Operations are torchvision's, their strengths those of the authors' code: up to ``severity`` tenths of the largest, evenly
    drawn, or in whole steps where torchvision takes one number (posterize, solarize, sharpness). Brightness, color, contrast and
    sharpness are among them, as in OpenOOD; the authors leave them out by default. Mixed images are rounded to 256 levels.
    """

    name = "pixmix"
    title = "PixMix"
    paper = "arXiv:2112.05135"
    needs = frozenset({"mixing"})
    scored_by = ("msp",)

    k: int = 4
    beta: float | None = None
    severity: int | None = None

    def __post_init__(self) -> None:
        self.require(self.k >= 0, "a k of 0 or more")
        self.require(self.beta is None or self.beta > 0, "a beta above 0")
        self.require(self.severity is None or 1 <= self.severity <= 10, "a severity from 1 to 10")

    def views(self, side: int, mixing: ImageSet | None = None) -> tuple[View, ...]:
        if mixing is None:
            raise UsageError("recipe pixmix needs pictures to mix in, got none; name them with --mixing SET")
        small = side <= SMALL
        beta = self.beta or (3.0 if small else 4.0)
        operation = operations(self.severity or (3 if small else 1))
        return (View(on_image=(PixelMix(mixing, side, self.k, beta, operation),)),)


@dataclass(frozen=True)
class PixelMix:
    """An RGB image of ``side`` × ``side`` pixels → the same, mixed. What is drawn comes from torch's global generator."""

    pictures: ImageSet
    side: int
    k: int
    beta: float
    operation: Callable[[Image.Image], Image.Image]

    def __call__(self, image: Image.Image) -> Image.Image:
        picture = None
        mixed = _pixels(self.operation(image) if _toss() else image)
        for _ in range(int(torch.randint(self.k + 1, ()))):
            if _toss():
                other = _pixels(self.operation(image))
            else:
                picture = _pixels(self._drawn()) if picture is None else picture
                other = picture
            mixed = mixed_by("add" if _toss() else "multiply", mixed, other, *shares(self.beta)).clamp(0, 1)
        return Image.fromarray((mixed * 255).round().to(torch.uint8).numpy())

    def _drawn(self) -> Image.Image:
        from torchvision.transforms.v2 import Compose, RandomCrop, Resize

        placed = Compose([Resize(self.side * 9 // 8), RandomCrop(self.side)])  # 36 and 32 pixels in the authors' code
        for _ in range(DRAWS):
            try:
                picture: Image.Image = placed(self.pictures.load(int(torch.randint(len(self.pictures), ()))))
            except UnreadableImageError as error:
                reason = str(error)
            else:
                return picture
        raise InputError(f"{DRAWS} pictures in a row of {self.pictures.spec} can't be read; look at the mixing set ({reason})")


def mixed_by(how: str, one: Tensor, other: Tensor, a: float, b: float) -> Tensor:
    """For add, a · x + b · y of pixels brought to [−1, 1]; for multiply, x^a · y^b of pixels brought to [0, 2]; both brought back.

    one, other: pixels in [0, 1]; what comes back can lie outside.
    """
    if how == "add":
        return (a * (2 * one - 1) + b * (2 * other - 1) + 1) / 2
    return (2 * one) ** a * (2 * other).clamp(min=1e-37) ** b / 2


def shares(beta: float) -> tuple[float, float]:
    """Either a ~ Beta(beta, 1) and b ~ Beta(1, beta) or, as often, a ~ 1 + Beta(1, beta) and b ~ −Beta(1, beta)."""
    one, other = (torch.rand(2) ** (1 / beta)).tolist()  # P(u^(1/β) ≤ x) = x^β is Beta(β, 1); 1 less it is Beta(1, β)
    if _toss():
        return one, 1 - other
    return 2 - one, other - 1


def operations(severity: int) -> Callable[[Image.Image], Image.Image]:
    """One of thirteen operations on an image, each as often."""
    from torchvision.transforms import v2

    steps = range(1, severity + 1)
    factor = (0.1 + 0.018, 0.1 + 0.18 * severity)
    shear, shift = math.degrees(math.atan(0.03 * severity)), severity / 30
    bilinear = v2.InterpolationMode.BILINEAR
    chosen: Callable[[Image.Image], Image.Image] = v2.RandomChoice(
        [
            v2.RandomAutocontrast(p=1),
            v2.RandomEqualize(p=1),
            v2.RandomChoice([v2.RandomPosterize(4 - step * 4 // 10, p=1) for step in steps]),
            v2.RandomChoice([v2.RandomSolarize(256 - step * 256 // 10, p=1) for step in steps]),
            v2.RandomRotation(3 * severity, bilinear),
            v2.RandomAffine(0, shear=(-shear, shear, 0, 0), interpolation=bilinear),
            v2.RandomAffine(0, shear=(0, 0, -shear, shear), interpolation=bilinear),
            v2.RandomAffine(0, translate=(shift, 0), interpolation=bilinear),
            v2.RandomAffine(0, translate=(0, shift), interpolation=bilinear),
            v2.ColorJitter(saturation=factor),
            v2.ColorJitter(contrast=factor),
            v2.ColorJitter(brightness=factor),
            v2.RandomChoice([v2.RandomAdjustSharpness(0.1 + 0.18 * step, p=1) for step in steps]),
        ]
    )
    return chosen


def _toss() -> bool:
    return bool(torch.rand(()) < 0.5)


def _pixels(image: Image.Image) -> Tensor:
    """(H, W, 3) in [0, 1]."""
    return torch.from_numpy(np.array(image)) / 255
