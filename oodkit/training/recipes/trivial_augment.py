"""TrivialAugment: one random transform of a random strength for each image."""

from dataclasses import dataclass

from oodkit.images.base import ImageSet
from oodkit.training.recipes.base import Recipe, View


@dataclass
class TrivialAugment(Recipe):
    """L = −log softmax(v)[y], on images changed by one of 14 transforms, at one of 31 strengths, both drawn evenly.

    Müller and Hutter, ICCV 2021, arXiv:2103.10158, the wide space, by torchvision's v2.TrivialAugmentWide with bilinear
    interpolation, as in torchvision's second recipe. Its shifts are of up to 32 pixels whatever the image's side.
    """

    name = "trivial-augment"
    title = "TrivialAugment"
    paper = "arXiv:2103.10158"

    def views(self, side: int, mixing: ImageSet | None = None) -> tuple[View, ...]:
        from torchvision.transforms import InterpolationMode, v2

        return (View(on_image=(v2.TrivialAugmentWide(interpolation=InterpolationMode.BILINEAR),)),)
