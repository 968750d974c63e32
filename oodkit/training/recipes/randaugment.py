"""RandAugment: a few random transforms, all of one strength. OpenOOD's cross-entropy+."""

from dataclasses import dataclass

from oodkit.images.base import ImageSet
from oodkit.training.recipes.base import Recipe, View


@dataclass
class RandAugment(Recipe):
    """L = −log softmax(v)[y], on images changed by n random transforms, one after the other, all of strength m.

    Cubuk et al., NeurIPS 2020, arXiv:1909.13719, by torchvision's v2.RandAugment with bilinear interpolation. n: at least 1. m:
    from 0 to 30, torchvision's 31 strengths. The defaults are OpenOOD v1.5's for CIFAR; for ImageNet-200 it takes n=1, m=10, for
    ImageNet n=2, m=9. On CIFAR it transforms before it crops; here the crop comes first, as it does there for ImageNet.
    """

    name = "randaugment"
    title = "RandAugment (cross-entropy+)"
    paper = "arXiv:1909.13719"
    scored_by = ("msp",)

    n: int = 1
    m: int = 14

    def __post_init__(self) -> None:
        self.require(self.n >= 1 and 0 <= self.m <= 30, "an n of at least 1 and an m from 0 to 30")

    def views(self, side: int, mixing: ImageSet | None = None) -> tuple[View, ...]:
        from torchvision.transforms import InterpolationMode, v2

        transform = v2.RandAugment(num_ops=self.n, magnitude=self.m, interpolation=InterpolationMode.BILINEAR)
        return (View(on_image=(transform,)),)
